"""A program drawn from ``graph.json`` beside the world folder (``WORLD``): items, components, dependencies."""

import json
import os
from pathlib import Path

import pulumi
from pulumi.dynamic import Resource
from world import ItemProvider

nodes = json.loads((Path(os.environ["WORLD"]) / "graph.json").read_text())


class Item(Resource, module="world", name="Item"):
    address: pulumi.Output[str]


class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("world:index:Group", name, {"title": name}, opts)


made: dict[str, pulumi.Resource] = {}
for node in nodes:
    parent = made.get(node["parent"])
    opts = pulumi.ResourceOptions(
        parent=parent,
        depends_on=[made[name] for name in node["after"]],
        delete_before_replace=node["delete_first"] or None,
        protect=node["protect"] or None,
        additional_secret_outputs=["grown"],
        aliases=[pulumi.Alias(name=node["was"])] if node["was"] else None,
    )
    if node["group"]:
        made[node["name"]] = Group(node["name"], opts=opts)
        made[node["name"]].register_outputs({})
        continue
    props = {
        "name": node["name"],
        "depth": node["depth"],
        "kind": node["kind"],
        "label": node["label"],
        "needs": [made[name].address for name in node["needs"]],
        "token": pulumi.Output.secret(node["token"]),
        "nested": {"deep": [pulumi.Output.secret(node["token"]), 1, None, True]},
        "address": None,
        "grown": None,
    }
    made[node["name"]] = Item(ItemProvider(), node["name"], props, opts)
    pulumi.export(node["name"], made[node["name"]].address)
    pulumi.export(f"{node['name']}-token", made[node["name"]].token)
