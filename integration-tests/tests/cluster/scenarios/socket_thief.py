import os
import re
import socket

with open("/proc/net/unix") as sockets:
    names = sorted({name for line in sockets for name in re.findall(r"@(sluice\S*)", line)})

for name in names:
    for what, said in (("nothing", b""), ("zeros", bytes(4096)), ("noise", os.urandom(4096)), ("text", b"GET / HTTP/1.1\r\n\r\n")):
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
