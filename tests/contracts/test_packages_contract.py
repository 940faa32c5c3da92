"""What every `Packages` promises."""

from __future__ import annotations

from dagy_runtime.values import ArtifactRef


def test_what_was_put_is_got_as_it_was(world, make):
    package = make.package(
        "A1B2C3D4", name="größe", modules=("numpy", "pandas"), distributions={f"dist-{n}": "1" for n in range(3000)}
    )
    assert world.packages.put_package(package) == package
    assert world.packages.get_package("A1B2C3D4") == package
    assert world.packages.get_package("X9Y8Z7W6") is None


def test_putting_it_again_replaces_all_but_when_and_by_whom_it_was_made(world, make, drain):
    world.packages.put_package(make.package("A1B2C3D4", seconds=1))
    world.packages.put_package(make.package("X9Y8Z7W6", seconds=2))
    again = make.package(
        "A1B2C3D4", seconds=3, created_by="other", name="new", artifact=ArtifactRef("bucket", "k", "00" * 32, None, 1)
    )
    stored = world.packages.put_package(again)
    assert stored == world.packages.get_package("A1B2C3D4")
    assert (stored.created_at, stored.created_by) == (make.at(1), "somebody")
    assert (stored.name, stored.artifact) == ("new", again.artifact)
    assert [package.slug for package in drain(world.packages.list_packages, limit=1)] == ["X9Y8Z7W6", "A1B2C3D4"]


def test_packages_are_listed_newest_first_page_by_page(world, make, drain):
    for number in (2, 1, 3):
        world.packages.put_package(make.package(f"AAAAAAA{number}", seconds=number))
    for limit in (1, 2, 9):
        listed = drain(world.packages.list_packages, limit=limit)
        assert [package.slug for package in listed] == ["AAAAAAA3", "AAAAAAA2", "AAAAAAA1"]


def test_deleting_says_whether_it_was_there(world, make):
    world.packages.put_package(make.package("A1B2C3D4"))
    assert world.packages.delete_package("A1B2C3D4")
    assert not world.packages.delete_package("A1B2C3D4")
    assert world.packages.get_package("A1B2C3D4") is None
    assert world.packages.list_packages(limit=9).items == ()
