/**
 * A program that makes two connections with the same ends: the first is bound to `lo`, the second,
 * made later, to nothing. It says "ready", and closes the first when a line comes.
 */
export const TWINS = `
import socket, struct, sys
listener = socket.socket(); listener.bind(("127.0.0.1", 4000)); listener.listen()
kept = []
for device in b"lo", None:
    one = socket.socket(); kept.append(one)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if device: one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.bind(("127.0.0.1", 5000)); one.setblocking(False)
    one.connect_ex(("127.0.0.1", 4000))
print("ready", flush=True)
sys.stdin.readline()
kept[0].close()
sys.stdin.read()
`;
