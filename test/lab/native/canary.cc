#include "canary.h"

#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "address.h"
#include "failure.h"

namespace lab {

namespace {

/// Each flight covers a hop: enough for a few routers, there and back.
constexpr int kFlights = 32;

void stayOnThisCpu() {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(sched_getcpu(), &here);
  if (sched_setaffinity(0, sizeof here, &here) != 0) throw Failure("sched_setaffinity");
}

}  // namespace

Canary::Canary() {
  stayOnThisCpu();
  if (unshare(CLONE_NEWNET) != 0) throw Failure("unshare(CLONE_NEWNET)");
  socket_.reset(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_) throw Failure("socket");
  ifreq loopback{};
  loopback.ifr_name[0] = 'l';
  loopback.ifr_name[1] = 'o';
  loopback.ifr_flags = IFF_UP;
  if (ioctl(socket_.get(), SIOCSIFFLAGS, &loopback) != 0) throw Failure("SIOCSIFFLAGS lo");
  SocketAddress self = socketAddress("127.0.0.1", 0, "");
  if (bind(socket_.get(), self.pointer(), self.length) != 0) throw Failure("bind");
  if (getsockname(socket_.get(), self.pointer(), &self.length) != 0) throw Failure("getsockname");
  if (connect(socket_.get(), self.pointer(), self.length) != 0) throw Failure("connect");
}

void Canary::fly() const {
  for (int flight = 0; flight < kFlights; flight++) {
    char byte = 0;
    if (send(socket_.get(), &byte, sizeof byte, 0) != sizeof byte) throw Failure("send");
    pollfd arrived{socket_.get(), POLLIN, 0};
    if (poll(&arrived, 1, 30'000) != 1) throw Failure("no packet moves on this CPU", ETIMEDOUT);
    if (recv(socket_.get(), &byte, sizeof byte, 0) != sizeof byte) throw Failure("recv");
  }
}

}  // namespace lab
