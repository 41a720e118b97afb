/*
 * Connections over loopback that come and go: `churn PER_SECOND SECONDS`, from 127.0.0.1 to port 20000.
 * Each lives between nothing and half a second; every other one is closed in order, which leaves a
 * TIME-WAIT, the others by a reset. It says "ready", begins when a line comes, and at the end writes to
 * descriptor 3, for each port of a client, "PORT COUNT".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kPort = 20000, kMostOpen = 1 << 16, kLongestLife = 500 };

struct pair {
  int client;
  int server;
  /** Milliseconds since the start. */
  long end;
};

static struct pair open_[kMostOpen];
static int opened;
static long counts[65536];

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void end(struct pair pair, int abrupt) {
  if (abrupt) {
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  close(pair.client);
  close(pair.server);
}

static void endBefore(long time) {
  for (int at = 0; at < opened;) {
    if (open_[at].end > time) {
      at++;
      continue;
    }
    end(open_[at], rand() % 2);
    open_[at] = open_[--opened];
  }
}

int main(int count, char** values) {
  const long perSecond = count == 3 ? atol(values[1]) : 0;
  const long seconds = count == 3 ? atol(values[2]) : 0;
  if (perSecond < 1 || seconds < 1) {
    fprintf(stderr, "usage: churn PER_SECOND SECONDS\n");
    return 2;
  }
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(kPort),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) < 0) fail("bind");
  if (listen(listener, 128) < 0) fail("listen");
  printf("ready\n");
  fflush(stdout);
  if (getchar() == EOF) return 1;
  const long start = now();
  for (long made = 0; now() - start < seconds * 1000;) {
    const long elapsed = now() - start;
    for (; made < elapsed * perSecond / 1000 && opened < kMostOpen; made++) {
      struct pair pair = {.client = socket(AF_INET, SOCK_STREAM, 0),
                          .end = now() + rand() % kLongestLife};
      if (connect(pair.client, (struct sockaddr*)&address, sizeof address) < 0) fail("connect");
      pair.server = accept(listener, NULL, NULL);
      if (pair.server < 0) fail("accept");
      struct sockaddr_in own;
      socklen_t size = sizeof own;
      getsockname(pair.client, (struct sockaddr*)&own, &size);
      counts[ntohs(own.sin_port)]++;
      // Every tenth is gone at once.
      if (made % 10 == 0) end(pair, rand() % 2);
      else open_[opened++] = pair;
    }
    endBefore(now());
    usleep(1000);
  }
  while (opened > 0) {
    endBefore(now());
    usleep(1000);
  }
  close(listener);
  for (int port = 0; port < 65536; port++) {
    if (counts[port] > 0) dprintf(3, "%d %ld\n", port, counts[port]);
  }
  return 0;
}
