"""JSON Schemas of protobuf messages, as ProtoJSON writes them (https://protobuf.dev/programming-guides/json/)."""

from collections.abc import Mapping
from typing import Any, cast

from google.protobuf import wrappers_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from lienthong.api.options.v1.options_pb2 import Dataset
from lienthong_gateway.contract.field_rules import field_policy

Schema = dict[str, Any]

_F = FieldDescriptor
_REAL: Schema = {"anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}]}
_SCALARS: Mapping[int, Schema] = {
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    _F.TYPE_DOUBLE: _REAL,
    _F.TYPE_FLOAT: _REAL,
    **{key: {"type": "integer", "format": "int32"} for key in (_F.TYPE_INT32, _F.TYPE_SINT32, _F.TYPE_SFIXED32)},
    **{key: {"type": "integer", "minimum": 0} for key in (_F.TYPE_UINT32, _F.TYPE_FIXED32)},
    **{key: {"type": "string", "format": "int64"} for key in (_F.TYPE_INT64, _F.TYPE_SINT64, _F.TYPE_SFIXED64)},
    **{key: {"type": "string", "format": "uint64"} for key in (_F.TYPE_UINT64, _F.TYPE_FIXED64)},
}
_WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Empty": {"type": "object", "additionalProperties": False},
    "google.protobuf.Any": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array"},
    **{
        wrapper.full_name: _SCALARS[wrapper.fields_by_name["value"].type]
        for wrapper in wrappers_pb2.DESCRIPTOR.message_types_by_name.values()
    },
}


class Schemas:
    """Collects the schemas of messages and of everything that they hold, by full name."""

    def __init__(self, datasets: Mapping[str, Dataset]) -> None:
        """`datasets` by name: their titles describe the fields that belong to them."""
        self._datasets = datasets
        self.components: dict[str, Schema] = {}

    def reference(self, message_type: type[Message]) -> Schema:
        """Return what refers to a message's schema, which is collected."""
        return self._reference(cast("Descriptor", message_type.DESCRIPTOR))

    def _reference(self, message: Descriptor) -> Schema:
        if message.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[message.full_name])
        if message.full_name not in self.components:
            # Entered before it is filled: a message may hold itself.
            self.components[message.full_name] = {}
            self.components[message.full_name].update(self._message(message))
        return {"$ref": f"#/components/schemas/{message.full_name}"}

    def _message(self, message: Descriptor) -> Schema:
        return {
            "type": "object",
            "properties": {field.json_name: self._field(field) for field in message.fields},
            # What the contract does not have is refused, so that a misspelt field is not silently left out.
            "additionalProperties": False,
        }

    def _field(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            schema = {"type": "object", "additionalProperties": self._value(field.message_type.fields_by_name["value"])}
        elif field.is_repeated:
            schema = {"type": "array", "items": self._value(field)}
        else:
            schema = self._value(field)
        policy = field_policy(field)
        if policy is None or not policy.dataset:
            return schema
        dataset = self._datasets.get(policy.dataset)
        titles = f": {dataset.title_en} ({dataset.title_vi})" if dataset else ""
        about = {"description": f"Dataset {policy.dataset}{titles}", "x-lienthong-dataset": policy.dataset}
        return {**schema, **about}

    def _value(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            return self._reference(field.message_type)
        if field.enum_type is not None:
            return self._enumeration(field.enum_type)
        return dict(_SCALARS[field.type])

    def _enumeration(self, enumeration: EnumDescriptor) -> Schema:
        names = [value.name for value in enumeration.values]
        # A value that is newer than this contract has a number and no name here.
        values: list[Schema] = [{"type": "string", "enum": names}, {"type": "integer"}]
        self.components.setdefault(enumeration.full_name, {"anyOf": values})
        return {"$ref": f"#/components/schemas/{enumeration.full_name}"}
