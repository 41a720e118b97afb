#include "netlink/listener.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <string>

#include "error.h"

namespace earshot::netlink {
namespace {

/** No notification is longer: netlink_trim and NLMSG_GOODSIZE; one that is told as lost. */
constexpr size_t kLongest = 64 * 1024;

}  // namespace

Listener::Listener(int protocol, int room)
    : descriptor_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)),
      buffer_(new uint8_t[kLongest]) {
  const std::string what = "listening to netlink protocol " + std::to_string(protocol);
  if (!descriptor_) throwErrno("socket", what);
  // do_one_broadcast leaves out whoever has the port that a notification comes from, which is 0 for
  // the kernel and for a socket that has none of its own.
  sockaddr_nl any{};
  any.nl_family = AF_NETLINK;
  if (bind(get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) < 0) {
    throwErrno("bind", what);
  }
  if (setsockopt(get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0) {
    setsockopt(get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  }
}

bool Listener::join(uint32_t group) {
  return setsockopt(get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0;
}

bool Listener::drain(const std::function<void(const Message&)>& take) {
  bool whole = true;
  for (;;) {
    sockaddr_nl sender{};
    iovec part{buffer_.get(), kLongest};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    const ssize_t length = recvmsg(get(), &header, MSG_TRUNC);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno != ENOBUFS) return whole;
      whole = false;  // the error is told once, and what came after it is there to be read
      continue;
    }
    if (sender.nl_pid != 0) continue;  // another process, not the kernel
    if (static_cast<size_t>(length) > kLongest) {
      whole = false;
      continue;
    }
    Messages messages(Bytes(buffer_.get(), static_cast<size_t>(length)));
    Message message;
    while (messages.next(message)) take(message);
    if (messages.fault()) whole = false;
  }
}

}  // namespace earshot::netlink
