"""Payload indexes: their schemas as requests and answers have them, and as the engine wants them."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from .errors import bad_request, invalid_body
from .json_structs import Struct, list_of, untagged, variant
from .json_values import boolean, field_path, text, unsigned
from .validation import plain_code

_TYPES = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "geo": edge.PayloadSchemaType.Geo,
    "text": edge.PayloadSchemaType.Text,
    "bool": edge.PayloadSchemaType.Bool,
    "datetime": edge.PayloadSchemaType.Datetime,
    "uuid": edge.PayloadSchemaType.Uuid,
}
_TOKENIZERS = {
    "prefix": edge.TokenizerType.Prefix,
    "whitespace": edge.TokenizerType.Whitespace,
    "word": edge.TokenizerType.Word,
    "multilingual": edge.TokenizerType.Multilingual,
}
_CODES = {
    "ar": "arabic", "az": "azerbaijani", "eu": "basque", "bn": "bengali", "ca": "catalan", "zh": "chinese", "da": "danish",
    "nl": "dutch", "en": "english", "fi": "finnish", "fr": "french", "de": "german", "el": "greek", "he": "hebrew",
    "hi-en": "hinglish", "hu": "hungarian", "id": "indonesian", "it": "italian", "jp": "japanese", "kk": "kazakh",
    "ne": "nepali", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sl": "slovene", "es": "spanish",
    "sv": "swedish", "tg": "tajik", "tr": "turkish", "hy": "armenian", "ta": "tamil",
}  # fmt: skip
_STEMMED = (
    "arabic", "armenian", "danish", "dutch", "english", "finnish", "french", "german", "greek", "hungarian", "italian",
    "norwegian", "portuguese", "romanian", "russian", "spanish", "swedish", "tamil", "turkish",
)  # fmt: skip
_STOPPED = tuple(name for name in _CODES.values() if name not in ("armenian", "tamil"))


def _language(*names: str) -> Any:
    read = variant(*names)
    return lambda given: read(_CODES.get(given, given) if type(given) is str else given)


def _params(name: str, kind: str, **optional: Any) -> Struct:
    common = {"on_disk": boolean, "enable_hnsw": boolean}
    return Struct(name, required={"type": variant(kind)}, optional={**optional, **common})


_stopwords = untagged(
    "StopwordsInterface",
    _language(*_STOPPED),
    Struct("StopwordsSet", optional={"languages": list_of(_language(*_STOPPED)), "custom": list_of(text)}),
)
_stemmer = untagged(
    "StemmingAlgorithm",
    Struct("SnowballParams", required={"type": variant("snowball"), "language": _language(*_STEMMED)}),
)
_field_schema = untagged(
    "PayloadFieldSchema",
    variant(*_TYPES),
    _params("KeywordIndexParams", "keyword", is_tenant=boolean),
    _params("IntegerIndexParams", "integer", lookup=boolean, range=boolean, is_principal=boolean),
    _params("FloatIndexParams", "float", is_principal=boolean),
    _params("GeoIndexParams", "geo"),
    _params(
        "TextIndexParams",
        "text",
        tokenizer=variant(*_TOKENIZERS),
        min_token_len=unsigned,
        max_token_len=unsigned,
        lowercase=boolean,
        ascii_folding=boolean,
        phrase_matching=boolean,
        stopwords=_stopwords,
        stemmer=_stemmer,
    ),
    _params("BoolIndexParams", "bool"),
    _params("DatetimeIndexParams", "datetime", is_principal=boolean),
    _params("UuidIndexParams", "uuid", is_tenant=boolean),
)
_request = Struct(
    "CreateFieldIndex",
    required={"field_name": field_path},
    optional={"field_schema": _field_schema},
    aliases={"field_type": "field_schema"},
)
# These are answered as null if they were not given; the others are left out.
_SHOWN_AS_NULL = {"integer": ("lookup", "range", "is_principal"), "float": ("is_principal",), "datetime": ("is_principal",)}


def read_index_request(body: Any) -> tuple[str, str | dict[str, Any]]:
    """Field and schema: a type's name, or an object with `type`. Raises 400, 422."""
    given = _request(body)
    schema = given.get("field_schema")
    if type(schema) is dict and schema.get("lookup") is False and schema.get("range") is False:
        raise invalid_body("field_schema.lookup", plain_code("the 'lookup' and 'range' capabilities can't be both disabled"))
    if schema is None:
        raise bad_request("Bad request: Can't auto-detect field type, please specify `field_schema` in the request")
    return given["field_name"], schema


def shown_schema(schema: str | dict[str, Any], points: int) -> dict[str, Any]:
    """An entry of `payload_schema` in a collection's info."""
    if isinstance(schema, str):
        return {"data_type": schema, "points": points}
    kind = schema["type"]
    params = {"type": kind, **({"tokenizer": "word"} if kind == "text" else {}), **dict.fromkeys(_SHOWN_AS_NULL.get(kind, ())), **schema}
    return {"data_type": kind, "params": params, "points": points}


def engine_schema(schema: str | dict[str, Any]) -> Any:
    if isinstance(schema, str):
        return _TYPES[schema]
    params = {name: value for name, value in schema.items() if name != "type"}
    kind = schema["type"]
    if kind == "text":
        params = _engine_text_params(params)
    return getattr(edge, f"{kind.capitalize()}IndexParams")(**params)


def stored_schema(info: edge.PayloadIndexInfo) -> str:
    """The schema of an index that the engine has and our record lost in a crash: its type is all that is sure."""
    return next(name for name, kind in _TYPES.items() if kind == info.data_type)


def _engine_text_params(params: dict[str, Any]) -> dict[str, Any]:
    converted = dict(params)
    converted["tokenizer"] = _TOKENIZERS[params.get("tokenizer", "word")]
    if "stopwords" in params:
        converted["stopwords"] = _engine_stopwords(params["stopwords"])
    if "stemmer" in params:
        converted["stemmer"] = edge.SnowballParams(_member(edge.SnowballLanguage, params["stemmer"]["language"]))
    return converted


def _engine_stopwords(given: str | dict[str, Any]) -> Any:
    if isinstance(given, str):
        return _member(edge.Language, given)
    languages = {_member(edge.Language, name) for name in given.get("languages", ())}
    return edge.StopwordsSet(languages=languages or None, custom=set(given.get("custom", ())) or None)


def _member(enumeration: Any, name: str) -> Any:
    return getattr(enumeration, name.capitalize())
