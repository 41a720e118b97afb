/*
 * Connections over loopback, held until standard input ends: `load SOCKETS` opens half as many
 * connections, by as many processes as it takes (each may hold so many descriptors), says
 * "ready LISTENERS PORT" and closes them without a TIME-WAIT. Every fourth process speaks IPv6.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kFirstPort = 20000, kSpare = 64 };

static void fail(const char* what) {
  perror(what);
  exit(1);
}

/** How many descriptors one process may hold. */
static long descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) fail("setrlimit");
  return limit.rlim_cur < 1000000 ? (long)limit.rlim_cur : 1000000;
}

/** One process: a listener, and connections from itself to itself. */
static void hold(int number, long connections, int ready) {
  const int ipv6 = number % 4 == 3;
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr_in four = {.sin_family = AF_INET};
  six.sin6_port = four.sin_port = htons((uint16_t)(kFirstPort + number));
  // An address of its own: the ports of one pair of addresses are soon used up.
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)number);
  struct sockaddr* address = ipv6 ? (struct sockaddr*)&six : (struct sockaddr*)&four;
  const socklen_t size = ipv6 ? sizeof six : sizeof four;
  const int family = ipv6 ? AF_INET6 : AF_INET;

  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int listener = socket(family, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, address, size) < 0) fail("bind");
  if (listen(listener, 128) < 0) fail("listen");
  // Closed by a reset, a connection leaves nothing behind.
  const struct linger abrupt = {.l_onoff = 1, .l_linger = 0};
  for (long at = 0; at < connections; at++) {
    const int client = socket(family, SOCK_STREAM, 0);
    if (client < 0) fail("socket");
    setsockopt(client, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    if (connect(client, address, size) < 0) fail("connect");
    const int server = accept(listener, NULL, NULL);
    if (server < 0) fail("accept");
    setsockopt(server, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
  }
  if (write(ready, "x", 1) != 1) fail("write");
  for (;;) pause();
}

int main(int count, char** values) {
  const long sockets = count == 2 ? atol(values[1]) : 0;
  if (sockets < 2) {
    fprintf(stderr, "usage: load SOCKETS\n");
    return 2;
  }
  const long most = (descriptors() - kSpare) / 2;
  const long connections = sockets / 2;
  const int processes = (int)((connections + most - 1) / most);
  pid_t* children = calloc((size_t)processes, sizeof *children);
  int ready[2];
  if (!children || pipe(ready) < 0) fail("load");
  for (int number = 0; number < processes; number++) {
    const long share = connections / processes + (number < connections % processes);
    children[number] = fork();
    if (children[number] < 0) fail("fork");
    if (children[number] == 0) {
      close(ready[0]);
      hold(number, share, ready[1]);
    }
  }
  close(ready[1]);
  int holding = 0;
  char byte;
  while (holding < processes && read(ready[0], &byte, 1) == 1) holding++;
  if (holding == processes) {
    printf("ready %d %d\n", processes, kFirstPort);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  }
  for (int number = 0; number < processes; number++) kill(children[number], SIGKILL);
  while (wait(NULL) > 0) continue;
  return holding == processes ? 0 : 1;
}
