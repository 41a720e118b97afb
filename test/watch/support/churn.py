"""Connections to 127.0.0.1:20000 that come and go: churn.py SEED COUNT PER_SECOND LONGEST_LIFE.

Waits for a line, then prints as JSON how many there were from each port of a client."""
import collections, heapq, json, random, socket, struct, sys, time

seed, count, per_second, longest = (float(value) for value in sys.argv[1:])
choose = random.Random(seed)
server = socket.create_server(("127.0.0.1", 20000))
print("ready", flush=True)
sys.stdin.readline()
made = collections.Counter()
open_pairs = []


def end(client, peer):
    if choose.random() < 0.5:  # by a reset; the others leave a TIME-WAIT
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    peer.close()


start = time.monotonic()
number = 0
while number < count or open_pairs:
    now = time.monotonic()
    while number < count and number < (now - start) * per_second:
        client = socket.socket()
        client.connect(("127.0.0.1", 20000))
        peer, _ = server.accept()
        made[client.getsockname()[1]] += 1
        heapq.heappush(open_pairs, (now + choose.random() * longest, number, client, peer))
        number += 1
    while open_pairs and open_pairs[0][0] <= now:
        end(*heapq.heappop(open_pairs)[2:])
    time.sleep(0.001)
print(json.dumps(made), flush=True)
sys.stdin.read()
