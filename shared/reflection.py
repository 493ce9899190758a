"""What reflection says about itself: also the contract of its second version, which grpcio serves but does not ship.

Clients ask for `grpc.reflection.v1` first. It has the messages of the first version under another name, so that its
contract is made from that; without it a client that lists the methods of every service fails at this one.
"""

from __future__ import annotations

from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2

SERVICES: Final = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)
"""Both versions: what clients ask for first, and what older ones know."""

_OLD, _NEW = "grpc.reflection.v1alpha", "grpc.reflection.v1"


def describe_reflection() -> None:
    """Makes the contract of the second version known, once, to the pool that reflection reads."""
    pool = descriptor_pool.Default()
    try:
        pool.FindServiceByName(SERVICES[0])
    except KeyError:
        pool.AddSerializedFile(_second_version().SerializeToString())


def _second_version() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = "grpc/reflection/v1/reflection.proto", _NEW
    for message in file.message_type:
        for field in filter(lambda each: each.type_name, message.field):
            field.type_name = field.type_name.replace(f".{_OLD}.", f".{_NEW}.")
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(f".{_OLD}.", f".{_NEW}.")
        method.output_type = method.output_type.replace(f".{_OLD}.", f".{_NEW}.")
    return file
