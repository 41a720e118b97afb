#include "tunnel.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <cstdint>

#include "failure.h"
#include "netns.h"

namespace lab {

namespace {

Descriptor openTun(int netns, const std::string& name) {
  Descriptor tun;
  onOwnThread([&] {
    enterNamespace(netns);
    tun.reset(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!tun) throw Failure("open /dev/net/tun");
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(tun.get(), TUNSETIFF, &request) != 0) throw Failure("TUNSETIFF " + name);
  });
  return tun;
}

void move(int from, int to) {
  char packet[65536];
  for (;;) {
    ssize_t size = read(from, packet, sizeof packet);
    if (size <= 0) return;
    // A device that is down refuses the packet, as a cable that is out loses it.
    if (write(to, packet, static_cast<size_t>(size)) < 0) continue;
  }
}

}  // namespace

Tunnel::Tunnel(int netnsA, const std::string& nameA, int netnsB, const std::string& nameB)
    : a_(openTun(netnsA, nameA)),
      b_(openTun(netnsB, nameB)),
      stop_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { carry(); }) {}

Tunnel::~Tunnel() {
  uint64_t one = 1;
  // Writing 8 bytes to an eventfd at zero cannot fail.
  [[maybe_unused]] ssize_t wrote = write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void Tunnel::carry() {
  pollfd ends[] = {{a_.get(), POLLIN, 0}, {b_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
  while ((ends[2].revents & POLLIN) == 0) {
    if (poll(ends, 3, -1) < 0) continue;
    if (ends[0].revents & POLLIN) move(a_.get(), b_.get());
    if (ends[1].revents & POLLIN) move(b_.get(), a_.get());
    // A tun whose interface was deleted reports an error for ever: stop listening to it.
    for (int end : {0, 1})
      if (ends[end].revents & (POLLERR | POLLHUP | POLLNVAL)) ends[end].fd = -1;
  }
}

}  // namespace lab
