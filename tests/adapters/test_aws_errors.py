"""What AWS refuses, in words of the toolkit's error tree; and what is asked again before giving up."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from dagy.core.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from dagy_runtime.adapters.aws.errors import translated
from dagy_runtime.adapters.aws.schema import Key
from dagy_runtime.adapters.aws.table import Put, Table, Update

KEY = Key("RUN#one")
WIRE = {"pk": {"S": "RUN#one"}, "sk": {"S": "META"}}


def aws_error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetItem")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    "error, expected, words",
    [
        pytest.param(aws_error("ThrottlingException", 400), Unavailable, "ThrottlingException", id="throttled"),
        pytest.param(aws_error("SlowDown", 503), Unavailable, "SlowDown", id="slow down"),
        pytest.param(aws_error("SomethingNew", 500), Unavailable, "SomethingNew", id="any 5xx"),
        pytest.param(aws_error("Strange", 429), Unavailable, "Strange", id="any 429"),
        pytest.param(
            EndpointConnectionError(endpoint_url="http://x"), Unavailable, "did not answer", id="no connection"
        ),
        pytest.param(
            ReadTimeoutError(endpoint_url="http://x"), Unavailable, "ReadTimeoutError", id="no answer in time"
        ),
        pytest.param(
            aws_error("AccessDeniedException", 400), Forbidden, "dynamodb:GetItem on table t", id="denied, and what for"
        ),
        pytest.param(aws_error("403", 403), Forbidden, "dynamodb:GetItem", id="denied without a body"),
        pytest.param(aws_error("ExpiredTokenException", 400), Unauthenticated, "Expired", id="expired credentials"),
        pytest.param(NoCredentialsError(), Unauthenticated, "no AWS credentials", id="no credentials"),
        pytest.param(aws_error("ResourceNotFoundException", 400), NotFound, "table t", id="no such table"),
    ],
)
def test_an_error_of_aws_says_what_the_caller_can_do(error, expected, words):
    with pytest.raises(expected, match=words) as raised, translated("dynamodb:GetItem", "table t"):
        raise error
    assert raised.value.__cause__ is error
    assert raised.value.hint


@pytest.mark.parametrize("error", [aws_error("ValidationException", 400), KeyError("ours")], ids=["request", "code"])
def test_an_error_that_can_only_be_our_bug_stays_what_it_is(error):
    with pytest.raises(type(error)) as raised, translated("dynamodb:GetItem", "table t"):
        raise error
    assert raised.value is error


def test_an_error_the_caller_asked_for_passes():
    with pytest.raises(ClientError), translated("a:B", "c", passing=("ThrottlingException",)):
        raise aws_error("ThrottlingException", 400)


class TestAskingAgain:
    @pytest.fixture
    def waits(self) -> list[float]:
        return []

    @pytest.fixture
    def table(self, clients, waits) -> Table:
        return Table(clients, "t", sleep=waits.append)

    def test_what_a_batch_write_leaves_over_is_sent_again(self, table, stub, waits):
        left = {"t": [{"PutRequest": {"Item": WIRE}}]}
        dynamodb = stub("dynamodb")
        dynamodb.add_response("batch_write_item", {"UnprocessedItems": left})
        dynamodb.add_response("batch_write_item", {"UnprocessedItems": {}}, {"RequestItems": left})
        table.put_batch([(KEY, {}), (Key("RUN#two"), {})])
        assert len(waits) == 1

    def test_what_a_batch_read_leaves_over_is_read_again(self, table, stub, waits):
        dynamodb = stub("dynamodb")
        dynamodb.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": [WIRE]}}})
        dynamodb.add_response("batch_get_item", {"Responses": {"t": [{**WIRE, "n": {"N": "1"}}]}})
        assert table.get_many([KEY])[KEY]["n"] == 1
        assert len(waits) == 1

    def test_it_gives_up_after_about_three_seconds_of_longer_and_longer_waits(self, table, stub, waits):
        dynamodb = stub("dynamodb")
        for _ in range(8):
            dynamodb.add_response("batch_write_item", {"UnprocessedItems": {"t": [{"PutRequest": {"Item": WIRE}}]}})
        with pytest.raises(Unavailable, match="BatchWriteItem"):
            table.put_batch([(KEY, {})])
        assert len(waits) == 7
        assert 1.5 < sum(waits) < 5

    def test_a_write_that_meets_a_transaction_is_tried_again(self, table, stub, waits):
        dynamodb = stub("dynamodb")
        dynamodb.add_client_error("put_item", "TransactionConflictException")
        dynamodb.add_response("put_item", {})
        assert table.put(KEY, {}) is None
        assert len(waits) == 1

    def test_a_transaction_that_meets_another_is_tried_again_and_one_that_is_refused_is_not(self, table, stub, waits):
        dynamodb = stub("dynamodb")
        for codes in (["TransactionConflict", "None"], ["None", "ConditionalCheckFailed"]):
            reasons = [{"Code": code, **({"Item": WIRE} if "Check" in code else {})} for code in codes]
            dynamodb.add_client_error(
                "transact_write_items", "TransactionCanceledException", modeled_fields={"CancellationReasons": reasons}
            )
        first, second = table.transact([Put(KEY, {}), Update(KEY, "SET #a = :a", "#a = :a", {":a": 1})])
        assert first is None
        assert second.found == {"pk": "RUN#one", "sk": "META"}
        assert len(waits) == 1
