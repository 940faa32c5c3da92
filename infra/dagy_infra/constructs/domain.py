"""A host name of one's own for the API. The certificate is made beforehand, in the stage's region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import CfnOutput
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from constructs import Construct


@dataclass(frozen=True, slots=True)
class Domain:
    name: str
    """Such as `dagy.example.com`."""
    certificate: acm.ICertificate
    """That covers the name, in the stage's own region."""
    hosted_zone: route53.IHostedZone | None = None
    """Where its record is made. None: make a CNAME of the name to the output `ApiDomainTarget` yourself."""


class ApiDomain(Construct):
    """Maps the whole name to the API's stage. The API's first address goes on answering."""

    def __init__(self, scope: Construct, construct_id: str, domain: Domain, *, stage: apigateway.CfnStage) -> None:
        super().__init__(scope, construct_id)
        name = apigateway.CfnDomainName(
            self,
            "Name",
            domain_name=domain.name,
            domain_name_configurations=[
                apigateway.CfnDomainName.DomainNameConfigurationProperty(
                    certificate_arn=domain.certificate.certificate_arn,
                    endpoint_type="REGIONAL",
                    security_policy="TLS_1_2",
                )
            ],
        )
        apigateway.CfnApiMapping(self, "Mapping", api_id=stage.api_id, domain_name=name.ref, stage=stage.ref)
        self.target: Final = name.attr_regional_domain_name
        if domain.hosted_zone is None:
            CfnOutput(self, "Target", value=self.target).override_logical_id("ApiDomainTarget")
            return
        route53.CfnRecordSet(
            self,
            "Record",
            hosted_zone_id=domain.hosted_zone.hosted_zone_id,
            name=f"{domain.name}.",
            type="A",
            alias_target=route53.CfnRecordSet.AliasTargetProperty(
                dns_name=self.target, hosted_zone_id=name.attr_regional_hosted_zone_id
            ),
        )
