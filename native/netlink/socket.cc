#include "netlink/socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>

#include "error.h"

namespace earshot::netlink {
namespace {

// Newer than the oldest headers that this must build with.
constexpr int kCapAck = 10;               // NETLINK_CAP_ACK, Linux 4.3
constexpr int kExtAck = 11;               // NETLINK_EXT_ACK, Linux 4.12
constexpr int kGetStrictChk = 12;         // NETLINK_GET_STRICT_CHK, Linux 4.20
constexpr uint16_t kFlagCapped = 0x100;   // NLM_F_CAPPED
constexpr uint16_t kFlagAckTlvs = 0x200;  // NLM_F_ACK_TLVS
constexpr uint16_t kAttrMsg = 1;          // NLMSGERR_ATTR_MSG

/** netlink_recvmsg: a dump is cut into datagrams of the reader's buffer, up to 32 KiB. */
constexpr size_t kFirstCapacity = 32 * 1024;

/** The kernel answers at once or, under its own locks, somewhat later; never means never. */
constexpr timeval kPatience{30, 0};

const char* nameOf(int protocol) {
  switch (protocol) {
    case NETLINK_ROUTE:
      return "rtnetlink";
    case NETLINK_SOCK_DIAG:
      return "sock_diag";
    case NETLINK_NETFILTER:
      return "nfnetlink";
    default:
      return "netlink";
  }
}

/** A socket option that older kernels do without. */
void prefer(int fd, int option) {
  const int on = 1;
  setsockopt(fd, SOL_NETLINK, option, &on, sizeof on);
}

Descriptor open(int protocol) {
  Descriptor descriptor(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!descriptor) {
    throwErrno("socket", std::string("opening a netlink socket of protocol ") +
                             std::to_string(protocol) + " (" + nameOf(protocol) + ")");
  }
  const int fd = descriptor.get();
  prefer(fd, kExtAck);
  prefer(fd, kCapAck);
  if (protocol == NETLINK_ROUTE) prefer(fd, kGetStrictChk);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  // Without a port of its own a socket has port 0, and do_one_broadcast leaves out whoever has the
  // port that a notification comes from, which is 0 for the kernel: it would never hear a group.
  sockaddr_nl any{};
  any.nl_family = AF_NETLINK;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) < 0) {
    throwErrno("bind", std::string("giving a socket of ") + nameOf(protocol) + " its port");
  }
  return descriptor;
}

std::string extendedText(Bytes attributes) {
  Attributes walk(attributes);
  Attribute attribute;
  while (walk.next(attribute)) {
    if (attribute.type != kAttrMsg) continue;
    const auto* text = reinterpret_cast<const char*>(attribute.value.data());
    return std::string(text, strnlen(text, attribute.value.size()));
  }
  return {};
}

/** NLMSG_ERROR: the error, the request's header (its payload too unless capped), attributes. */
std::optional<Refusal> refusalOf(const Message& message) {
  int32_t error = 0;
  nlmsghdr request{};
  if (!load(message.payload, error) || !load(after(message.payload, sizeof error), request)) {
    throw Failure{Operation::kKernel, "netlink", EBADMSG, "an error message is cut short"};
  }
  if (error == 0) return std::nullopt;
  Bytes attributes;
  if (message.flags & kFlagAckTlvs) {
    const size_t echoed =
        message.flags & kFlagCapped ? sizeof request : align(size_t{request.nlmsg_len});
    attributes = after(message.payload, sizeof error + echoed);
  }
  return Refusal{-error, extendedText(attributes)};
}

/** NLMSG_DONE: the error that ended the dump, if one did, and attributes (netlink_dump_done). */
std::optional<Refusal> refusalAtEnd(const Message& message) {
  int32_t error = 0;
  if (!load(message.payload, error) || error >= 0) return std::nullopt;
  Bytes attributes;
  if (message.flags & kFlagAckTlvs) attributes = after(message.payload, sizeof error);
  return Refusal{-error, extendedText(attributes)};
}

}  // namespace

Socket::Socket(int protocol)
    : protocol_(protocol), descriptor_(open(protocol)), capacity_(kFirstCapacity) {}

const char* Socket::name() const { return nameOf(protocol_); }

std::optional<Refusal> Socket::request(uint16_t type, uint16_t flags, Bytes payload, Sink& sink) {
  const bool dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    std::optional<Refusal> refusal;
    sink.begin();
    send(type, flags, payload);
    const Exchange exchange = receive(sink, refusal);
    if (exchange == Exchange::kComplete) return refusal;
    if (!dump) {
      throw Failure{Operation::kKernel, name(), ENOBUFS, "the answer was lost for want of memory"};
    }
    // Datagrams were lost and the dump still runs on this socket: it takes a new one.
    if (exchange == Exchange::kOverrun) descriptor_ = open(protocol_);
  }
  throw Failure{Operation::kKernel, name(), EINTR,
                "the table changed during each of " + std::to_string(kAttempts) + " reads"};
}

void Socket::demand(uint16_t type, uint16_t flags, Bytes payload, Sink& sink, const char* what) {
  const auto refusal = request(type, flags, payload, sink);
  if (!refusal) return;
  throw Failure{Operation::kKernel, name(), refusal->code,
                refusal->detail.empty() ? what : std::string(what) + ": " + refusal->detail};
}

void Socket::send(uint16_t type, uint16_t flags, Bytes payload) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<uint32_t>(sizeof header + payload.size());
  header.nlmsg_type = type;
  // With an acknowledgement asked for, whatever is no dump ends with one (a dump with NLMSG_DONE),
  // so that the end of an answer never has to be guessed.
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST | NLM_F_ACK);
  header.nlmsg_seq = ++sequence_;
  iovec parts[2] = {{&header, sizeof header},
                    {const_cast<uint8_t*>(payload.data()), payload.size()}};
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  msghdr message{};
  message.msg_name = &kernel;
  message.msg_namelen = sizeof kernel;
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  while (sendmsg(descriptor_.get(), &message, 0) < 0) {
    if (errno != EINTR) throwErrno("sendmsg", std::string("asking ") + name());
  }
}

Socket::Exchange Socket::receive(Sink& sink, std::optional<Refusal>& refusal) {
  bool interrupted = false;
  for (;;) {
    const auto bytes = datagram();
    if (!bytes) return Exchange::kOverrun;
    Messages messages(*bytes);
    const auto exchange = handOver(messages, sink, interrupted, refusal);
    if (messages.fault()) {
      throw Failure{Operation::kKernel, name(), EBADMSG,
                    std::string("a message ") + messages.fault()};
    }
    sink.datagram(bytes->size(), buffer_);
    if (exchange) return *exchange;
  }
}

/** The messages of one datagram; how the answer ended, if it did. */
std::optional<Socket::Exchange> Socket::handOver(Messages& messages, Sink& sink, bool& interrupted,
                                                 std::optional<Refusal>& refusal) {
  Message message;
  while (messages.next(message)) {
    if (message.sequence != sequence_) continue;
    if (message.flags & NLM_F_DUMP_INTR) interrupted = true;
    switch (message.type) {
      case NLMSG_NOOP:
        break;
      case NLMSG_OVERRUN:
        return Exchange::kOverrun;
      case NLMSG_ERROR:
        refusal = refusalOf(message);
        return Exchange::kComplete;
      case NLMSG_DONE:
        refusal = refusalAtEnd(message);
        return interrupted && !refusal ? Exchange::kInterrupted : Exchange::kComplete;
      default:
        sink.message(message);
    }
  }
  return std::nullopt;
}

std::optional<Bytes> Socket::datagram() {
  const int fd = descriptor_.get();
  for (;;) {
    // A datagram that does not fit is cut and its rest lost: so look first how long it is. Those of
    // sock_diag are no longer than the reader's buffer (netlink_dump).
    ssize_t length = 0;
    if (protocol_ != NETLINK_SOCK_DIAG) length = recv(fd, nullptr, 0, MSG_PEEK | MSG_TRUNC);
    if (length >= 0) {
      if (static_cast<size_t>(length) > capacity_) {
        capacity_ = std::max(static_cast<size_t>(length), 2 * capacity_);
      }
      if (!buffer_.bytes || buffer_.capacity < capacity_) {
        buffer_ = {capacity_, std::unique_ptr<uint8_t[]>(new uint8_t[capacity_])};
      }
      sockaddr_nl sender{};
      iovec part{buffer_.bytes.get(), buffer_.capacity};
      msghdr message{};
      message.msg_name = &sender;
      message.msg_namelen = sizeof sender;
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      length = recvmsg(fd, &message, MSG_TRUNC);
      if (length > static_cast<ssize_t>(buffer_.capacity)) {
        throw Failure{Operation::kKernel, name(), EMSGSIZE,
                      "a datagram of " + std::to_string(length) + " bytes was cut"};
      }
      if (length >= 0) {
        if (sender.nl_pid != 0) continue;  // another process, not the kernel
        return Bytes(buffer_.bytes.get(), static_cast<size_t>(length));
      }
    }
    if (errno == ENOBUFS) return std::nullopt;
    if (errno == EAGAIN) errno = ETIMEDOUT;
    if (errno != EINTR) throwErrno("recvmsg", std::string("reading the answer of ") + name());
  }
}

void Socket::join(uint32_t group) {
  // do_one_broadcast leaves out the port that asked for the change, or 0 where nobody did: a socket
  // hears notifications only once it has a port of its own.
  sockaddr_nl own{};
  socklen_t size = sizeof own;
  getsockname(descriptor_.get(), reinterpret_cast<sockaddr*>(&own), &size);
  own.nl_family = AF_NETLINK;
  own.nl_groups = 0;
  if (own.nl_pid == 0 &&
      bind(descriptor_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) < 0) {
    throwErrno("bind", std::string("giving a port to ") + name());
  }
  if (setsockopt(descriptor_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) <
      0) {
    throwErrno("setsockopt",
               std::string("joining group ") + std::to_string(group) + " of " + name());
  }
}

bool Socket::heard() {
  for (;;) {
    if (recv(descriptor_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT) >= 0) return true;
    if (errno == ENOBUFS) return true;
    if (errno == EAGAIN) return false;
    if (errno != EINTR) throwErrno("recvmsg", std::string("listening to ") + name());
  }
}

}  // namespace earshot::netlink
