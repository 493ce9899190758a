"""The provisions as pure rules: no input or output, no clock, no protobuf.

Every function here takes plain values and returns a plain answer, so that a provider before it sends and a regulator when
it receives judge by the same code. Periods, taxonomies and forms are policy: data, never constants.
"""
