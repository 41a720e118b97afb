# Opens sockets in every state that a TCP or UDP socket can rest in, says "ready", and keeps them
# until its standard input ends. It runs in a namespace with `lo` up, a device lan0 that owns
# 192.0.2.1 and 2001:db8::1, and a neighbour 192.0.2.66 that never answers.
import os, random, resource, socket, struct, subprocess, sys, time

seed, pairs = int(sys.argv[1]), int(sys.argv[2])
print(f"seed {seed}", file=sys.stderr)
random.seed(seed)
files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
V4, V6, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
kept = []


def opened(family, kind, mark=0, device=None, v6only=None, blocking=True):
    one = socket.socket(family, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setblocking(blocking)
    if mark:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    if device:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    if v6only is not None:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    kept.append(one)
    return one


def listening(family, address, port, backlog=64, **options):
    one = opened(family, TCP, **options)
    one.bind((address, port))
    one.listen(backlog)
    return one


def connected(family, listener, address, port):
    client = opened(family, TCP)
    client.connect((address, port))
    server, _ = listener.accept()
    kept.append(server)
    return client, server


def drop(chain, *match):
    subprocess.run(["nft", "add", "rule", "inet", "lossy", chain, *match, "drop"], check=True)


for number, (family, address) in enumerate(
    [(V4, "0.0.0.0"), (V4, "127.0.0.1"), (V4, "192.0.2.1"), (V6, "::1"), (V6, "2001:db8::1")]
):
    for step in range(4):
        listening(family, address, 2000 + 10 * number + step, backlog=step, mark=step)
dual = listening(V6, "::", 3000, v6only=0)
listening(V6, "::", 3001, v6only=1)
listening(V4, "0.0.0.0", 3002, device="lan0")
loop4, loop6 = listening(V4, "127.0.0.1", 3003), listening(V6, "::1", 3004)
crowded = listening(V4, "127.0.0.1", 3005, backlog=3)
for _ in range(2):
    opened(V4, TCP).connect(("127.0.0.1", 3005))  # nobody accepts them

for number in range(pairs):
    family, listener, address, port = random.choice(
        [(V4, loop4, "127.0.0.1", 3003), (V6, loop6, "::1", 3004), (V4, dual, "127.0.0.1", 3000)]
    )
    client, server = connected(family, listener, address, port)
    if number % 3 == 0:
        client.send(bytes(random.randrange(1, 4000)))  # stays unread

for number in range(20):
    client, server = connected(V4, loop4, "127.0.0.1", 3003)
    client.shutdown(socket.SHUT_WR)  # FIN-WAIT-2 and CLOSE-WAIT
    client, server = connected(V6, loop6, "::1", 3004)
    client.close(), server.close()  # TIME-WAIT
    client = opened(V4, TCP, blocking=False)
    client.connect_ex(("192.0.2.66", 4000 + number))  # SYN-SENT
    opened(random.choice([V4, V6]), TCP).bind(("", 5000 + number))  # bound and no more

subprocess.run(
    [
        "nft",
        "add table inet lossy;"
        "add chain inet lossy output { type filter hook output priority 0; };"
        "add chain inet lossy input { type filter hook input priority 0; }",
    ],
    check=True,
)
lossy = [listening(V4, "127.0.0.1", 6000 + number) for number in range(4)]
ends = [[connected(V4, lossy[number], "127.0.0.1", 6000 + number) for _ in range(5)] for number in range(3)]
unheard, _ = connected(V4, lossy[0], "127.0.0.1", 6000)
for client, _ in ends[1]:
    client.shutdown(socket.SHUT_WR)
time.sleep(0.1)
drop("output", "tcp", "dport", "6000")
drop("output", "tcp", "sport", "6001")
drop("output", "tcp", "dport", "6002")
drop("input", "tcp", "sport", "6003")
unheard.send(bytes(12345))  # stays unacknowledged
for client, _ in ends[0]:
    client.shutdown(socket.SHUT_WR)  # its FIN is lost: FIN-WAIT-1
for _, server in ends[1]:
    server.shutdown(socket.SHUT_WR)  # the last FIN is lost: LAST-ACK
for client, server in ends[2]:
    client.shutdown(socket.SHUT_WR)  # its FIN is lost, the other end's arrives: CLOSING
    server.shutdown(socket.SHUT_WR)
for _ in range(5):
    opened(V4, TCP, blocking=False).connect_ex(("127.0.0.1", 6003))  # SYN-RECV: the answer is lost

for number in range(pairs // 4):
    family = random.choice([V4, V6])
    device = random.choice([None, "lo", "lan0"])
    address = random.choice(["0.0.0.0", "127.0.0.1"] if family == V4 else ["::", "::1"])
    if device == "lan0":
        address = "0.0.0.0" if family == V4 else "::"
    one = opened(family, UDP, mark=number, device=device)
    one.bind((address, 7000 + number))
    other = opened(V4, UDP)
    other.connect(("127.0.0.1", 7000 + number))
    if number % 2:
        try:
            other.send(bytes(random.randrange(1, 1000)))
        except ConnectionRefusedError:
            pass

child = os.fork()
if child == 0:
    os.setuid(54321)
    for number in range(20):
        listening(V4, "127.0.0.2", 8000 + number)
        opened(V6, UDP).bind(("::1", 8000 + number))
    # Standard input ends for both at the same time.
print("ready" if child == 0 else "", flush=True)
sys.stdin.read()
