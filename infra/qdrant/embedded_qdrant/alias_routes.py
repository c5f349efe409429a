"""Aliases: other names of collections, changed in order under one lock."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from .endpoint import Call, endpoint
from .errors import conflict, not_found
from .json_structs import Struct, list_of, untagged
from .json_values import text
from .query_params import check_timeout

_action = untagged(
    "AliasOperations",
    Struct(
        "CreateAliasOperation", required={"create_alias": Struct("CreateAlias", required={"collection_name": text, "alias_name": text})}
    ),
    Struct("DeleteAliasOperation", required={"delete_alias": Struct("DeleteAlias", required={"alias_name": text})}),
    Struct(
        "RenameAliasOperation", required={"rename_alias": Struct("RenameAlias", required={"old_alias_name": text, "new_alias_name": text})}
    ),
)
_request = Struct("ChangeAliasesOperation", required={"actions": list_of(_action)})


def _change(call: Call) -> bool:
    actions = _request(call.body)["actions"]
    check_timeout(call.query)

    def change(collections: Set[str], aliases: dict[str, str]) -> None:
        for action in actions:
            _apply(action, collections, aliases)

    call.registry.change_aliases(change)
    return True


def _apply(action: dict[str, Any], collections: Set[str], aliases: dict[str, str]) -> None:
    if "create_alias" in action:
        collection, alias = action["create_alias"]["collection_name"], action["create_alias"]["alias_name"]
        if collection not in collections:
            raise not_found(f"Not found: Collection `{collection}` doesn't exist!")
        if alias in collections:
            raise conflict(f"Wrong input: Collection `{alias}` already exists!")
        aliases[alias] = collection
    elif "delete_alias" in action:
        aliases.pop(action["delete_alias"]["alias_name"], None)
    else:
        old, new = action["rename_alias"]["old_alias_name"], action["rename_alias"]["new_alias_name"]
        if old not in aliases:
            raise not_found(f"Not found: Alias {old} does not exists!")
        aliases[new] = aliases.pop(old)


def _list(call: Call) -> Any:
    return _shown(call.registry.aliases())


def _list_of_collection(call: Call) -> Any:
    name = call.params["collection_name"]
    return _shown({alias: target for alias, target in call.registry.aliases().items() if target == name})


def _shown(aliases: dict[str, str]) -> Any:
    return {"aliases": [{"alias_name": alias, "collection_name": target} for alias, target in sorted(aliases.items())]}


routes = [
    # Before the routes of a collection: no collection of the name `aliases` can be reached by POST.
    endpoint("POST", "/collections/aliases", _change, writes=True, body="json"),
    endpoint("GET", "/aliases", _list, writes=False),
    endpoint("GET", "/collections/{collection_name}/aliases", _list_of_collection, writes=False),
]
