# Opens sockets of which sock_diag has much to tell, says "ready", and for each line of its standard
# input tells what the sockets say of themselves by getsockopt(2), as a line of JSON. It runs in a
# namespace with `lo` up and a device that owns 192.0.2.1, beyond which 192.0.2.66 never answers.
import json, os, socket, sys, time

V4, V6, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
SO_MEMINFO, IP_FREEBIND, IP_RECVERR, IP_TRANSPARENT = 55, 15, 11, 19
kept = {}


def listening(name, family, address, **options):
    one = kept[name] = socket.socket(family, TCP)
    if "buffer" in options:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["buffer"])
    one.bind((address, 0))
    one.listen()
    return one


def connected(name, listener, before=lambda client: None):
    client = kept[name] = socket.socket(listener.family, TCP)
    before(client)
    client.connect(listener.getsockname()[:2])
    server, _ = listener.accept()
    kept[f"{name}, accepted"] = server
    return client, server


def choosing(algorithm):
    return lambda client: client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm)


loop = listening("listener", V4, "127.0.0.1")
client, server = connected("cubic", loop, choosing(b"cubic"))
for _ in range(20):
    client.send(bytes(5000))
    server.recv(5000, socket.MSG_WAITALL)
    server.send(bytes(300))
    client.recv(300)


def fast(client):
    choosing(b"bbr")(client)
    client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    client.setsockopt(socket.SOL_SOCKET, 47, 5_000_000)  # SO_MAX_PACING_RATE


client, server = connected("bbr", loop, fast)
for _ in range(10):
    client.send(bytes(20000))
    server.recv(20000, socket.MSG_WAITALL)

client, _ = connected("keepalive", loop)
client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
client, _ = connected("half closed", loop)
client.shutdown(socket.SHUT_WR)

narrow = listening("narrow listener", V4, "127.0.0.1", buffer=4096)
client, _ = connected("blocked", narrow)
client.setblocking(False)
try:
    while True:
        client.send(bytes(65536))
except BlockingIOError:
    pass

six = listening("listener of IPv6", V6, "::1")
connected(
    "classed", six, lambda client: client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
)

gone, server = connected("time-wait", loop)
gone.close(), server.close()
del kept["time-wait"], kept["time-wait, accepted"]

silent = kept["unanswered"] = socket.socket(V4, TCP)
silent.setblocking(False)
silent.connect_ex(("192.0.2.66", 80))

free = kept["free"] = socket.socket(V4, UDP)
for option in IP_FREEBIND, IP_RECVERR, IP_TRANSPARENT:
    free.setsockopt(socket.IPPROTO_IP, option, 1)
free.bind(("198.51.100.1", 0))

small = kept["overrun"] = socket.socket(V4, UDP)
small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
small.bind(("127.0.0.1", 0))
sender = kept["sender"] = socket.socket(V4, UDP)
for _ in range(50):
    sender.sendto(bytes(1000), small.getsockname())

time.sleep(0.3)
print("ready", flush=True)
for _ in sys.stdin:
    told = {}
    for name, one in kept.items():
        tcp = one.type == TCP
        told[name] = {
            "port": one.getsockname()[1],
            "inode": os.fstat(one.fileno()).st_ino,
            "info": one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1024).hex() if tcp else None,
            "memory": one.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 256).hex(),
            "algorithm": one.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
            .split(b"\0")[0]
            .decode()
            if tcp
            else None,
        }
    print(json.dumps(told), flush=True)
