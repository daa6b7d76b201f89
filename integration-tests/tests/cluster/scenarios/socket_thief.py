import os
import re
import socket

with open("/proc/net/unix") as sockets:
    names = sorted({name for line in sockets for name in re.findall(r"@(sluice\S*)", line)})



def message(tag, body=b""):
    """Returns a message of the protocol, as it travels."""
    field = bytes([tag << 3 | 2, len(body)]) + body
    return len(field).to_bytes(4, "big") + field


def bytes_field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


# All that somebody can say who knows the protocol and not the key.
hello = message(1, bytes_field(1, os.urandom(32)) + bytes_field(2, os.urandom(8)))
proof = message(3, bytes_field(2, os.urandom(32)))
take = message(8)
ways = (
    ("nothing", b""),
    ("zeros", bytes(4096)),
    ("noise", os.urandom(4096)),
    ("text", b"GET / HTTP/1.1\r\n\r\n"),
    ("a greeting", hello),
    ("a greeting, a wrong proof and a wish", hello + proof + take),
    ("a wish alone", take),
)

for name in names:
    for what, said in ways:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as thief:
            thief.settimeout(8)
            thief.connect("\0" + name)
            got, descriptors = b"", []
            try:
                if said:
                    thief.sendall(said)
                while True:
                    data, handed, _, _ = socket.recv_fds(thief, 65536, 16)
                    descriptors += handed
                    got += data
                    if not data:
                        break
            except OSError as error:
                got += str(error).encode()
            outcome = "got a descriptor" if descriptors else "got none"
            print(f"asked {name} with {what}: {outcome}, {len(got)} bytes")
