"""What both ends of a connection agree on: sizes of messages, and how each notices that the other is gone.

A client pings every 20 seconds also when it is idle; a server takes pings from every 10 seconds on, so that nobody is
told that it pings too much (ENHANCE_YOUR_CALM), and pings by itself, so that the streams of a client whose machine died
are freed. A cut cable is noticed in half a minute and costs no call a longer wait than its own deadline.
"""

from __future__ import annotations

from typing import Final

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024 + 64 * 1024
"""Largest message either way: 4 MiB of content, and room for what frames it."""

CLIENT_PING_MILLISECONDS: Final = 20_000
SERVER_PING_MILLISECONDS: Final = 30_000
PING_ANSWER_MILLISECONDS: Final = 10_000
LEAST_PING_MILLISECONDS: Final = 10_000

MAX_STREAMS_PER_CONNECTION: Final = 512
"""Most calls at once on one connection; a client holds back further ones by itself."""

HANDSHAKE_MILLISECONDS: Final = 20_000
FIRST_RECONNECT_MILLISECONDS: Final = 200
LAST_RECONNECT_MILLISECONDS: Final = 5_000
"""Longest wait between two attempts to connect, so that a healed network is used at once; and the time for one."""
LAST_LOCAL_RECONNECT_MILLISECONDS: Final = 500
"""The same on one machine, where an attempt costs next to nothing: a node that was restarted is found at once."""

_ON_THIS_MACHINE: Final = ("unix:", "localhost:", "127.", "[::1]:")

Options = list[tuple[str, int | str]]

_BOTH: Final[Options] = [
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_timeout_ms", PING_ANSWER_MILLISECONDS),
    # The same for the pings by which gRPC measures the way: one that is out keeps those of above from being sent.
    ("grpc.http2.ping_timeout_ms", PING_ANSWER_MILLISECONDS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


def server_options() -> Options:
    """Returns the options of every server of a node."""
    return [
        *_BOTH,
        # One process a port: a second one must fail to bind instead of taking half of the calls.
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_time_ms", SERVER_PING_MILLISECONDS),
        ("grpc.http2.min_ping_interval_without_data_ms", LEAST_PING_MILLISECONDS),
        ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MILLISECONDS),
    ]


def channel_options(address: str, *, target_name: str = "") -> Options:
    """Returns the options of every channel.

    Args:
        address: "host:port" or "unix:/path".
        target_name: the name the server's certificate must hold, where it is not the address's own.
    """
    on_this_machine = address.startswith(_ON_THIS_MACHINE)
    last_reconnect = LAST_LOCAL_RECONNECT_MILLISECONDS if on_this_machine else LAST_RECONNECT_MILLISECONDS
    options: Options = [
        *_BOTH,
        ("grpc.keepalive_time_ms", CLIENT_PING_MILLISECONDS),
        # Retries are decided by who knows whether a call may be repeated.
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", FIRST_RECONNECT_MILLISECONDS),
        ("grpc.min_reconnect_backoff_ms", LAST_RECONNECT_MILLISECONDS),
        ("grpc.max_reconnect_backoff_ms", last_reconnect),
        # A node that moved is looked up anew as soon as it is called anew.
        ("grpc.dns_min_time_between_resolutions_ms", LAST_RECONNECT_MILLISECONDS),
        # A channel never rides on the connection, and so on the certificate, of another one.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if on_this_machine:
        # A proxy named in the environment is for what lies behind it.
        options.append(("grpc.enable_http_proxy", 0))
    if target_name:
        options.append(("grpc.ssl_target_name_override", target_name))
    return options
