#include "sockets/diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "error.h"

namespace earshot::sockets::diag {
namespace {

// INET_DIAG_*, of which the older headers that this builds with lack some. The kernel tells these
// without being asked (inet_diag_msg_attrs_fill), so a request mostly has no extension bits: what
// those add, tcp_info and the like, is only passed on as it is.
enum : uint16_t {
  kSkV6only = 11,  // on IPv6 sockets in LISTEN and CLOSE only
  kMark = 15,      // to CAP_NET_ADMIN only
  kMd5 = 18,       // to CAP_NET_ADMIN only, and only together with tcp_info (inet_sk_diag_fill)
  kCgroupId = 21,  // Linux 5.8
  kSockopt = 22,   // Linux 5.10
};

/** struct tcp_diag_md5sig (linux/tcp.h) up to the key, which is none of our business. */
struct Md5Signature {
  uint8_t family;
  uint8_t prefixLength;
  uint16_t keyLength;
  uint32_t address[4];
};
constexpr size_t kMd5SignatureSize = sizeof(Md5Signature) + 80;

constexpr uint8_t kTcpClose = 7;
constexpr uint8_t kTcpBoundInactive = 13;  // Linux 6.8

/** struct inet_diag_sockopt is a bit field: its first byte, read on either endianness. */
bool isTransparent(uint8_t options) {
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? options & 0x20 : options & 0x04;
}

Address addressOf(const uint32_t (&words)[4], uint8_t family) {
  Address address{};
  std::memcpy(address.data(), words, family == 4 ? 4 : 16);
  return address;
}

/** INET_DIAG_MD5SIG is an array; false where its size is not that of whole entries. */
bool readKeyedPeers(netlink::Bytes entries, std::vector<KeyedPrefix>& keyedPeers) {
  if (entries.size() % kMd5SignatureSize != 0) return false;
  for (; !entries.empty(); entries = entries.subspan(kMd5SignatureSize)) {
    Md5Signature signature;
    if (!netlink::load(entries, signature)) return false;
    const uint8_t family = signature.family == AF_INET ? 4 : 6;
    const auto length = std::min<uint8_t>(signature.prefixLength, family == 4 ? 32 : 128);
    keyedPeers.push_back({family, length, addressOf(signature.address, family)});
  }
  return true;
}

/** Asks with the filter's program, and without where the kernel will not have it. */
std::optional<netlink::Refusal> ask(netlink::Socket& socket, uint16_t type,
                                    std::vector<uint8_t> payload, const Filter& filter,
                                    netlink::Sink& sink) {
  const size_t plain = payload.size();
  if (!filter.program().empty()) {
    netlink::putAttribute(payload, INET_DIAG_REQ_BYTECODE, filter.program());
  }
  auto refusal = socket.request(type, NLM_F_DUMP, payload, sink);
  // An older kernel does not know every operation (EINVAL), and a mark may only be asked for with
  // CAP_NET_ADMIN (EPERM): the rows are checked again here anyway, so let the kernel tell all.
  if (refusal && payload.size() > plain && (refusal->code == EINVAL || refusal->code == EPERM)) {
    payload.resize(plain);
    refusal = socket.request(type, NLM_F_DUMP, payload, sink);
  }
  return refusal;
}

}  // namespace

void decode(const netlink::Message& message, uint8_t protocol, Row& row) {
  if (message.type != SOCK_DIAG_BY_FAMILY && message.type != TCPDIAG_GETSOCK) {
    throwDecode("a message of type " + std::to_string(message.type) + " is none of sock_diag");
  }
  inet_diag_msg socket;
  if (!netlink::load(message.payload, socket)) {
    throwDecode("a sock_diag message of " + std::to_string(message.payload.size()) +
                " bytes is shorter than its fixed part");
  }
  if (socket.idiag_family != AF_INET && socket.idiag_family != AF_INET6) {
    throwDecode("a sock_diag message is of address family " + std::to_string(socket.idiag_family));
  }
  row = {};
  row.protocol = protocol;
  row.family = socket.idiag_family == AF_INET ? 4 : 6;
  // A request socket is NEW_SYN_RECV inside the kernel and SYN_RECV here (inet_req_diag_fill).
  row.state = socket.idiag_state;
  // A socket that is bound and no more is asked for as TCP_BOUND_INACTIVE, yet told as TCP_CLOSE.
  // The other tables of inet_diag_dump_icsk hold no closed socket.
  if (protocol == IPPROTO_TCP && row.state == kTcpClose) row.state = kTcpBoundInactive;
  row.localPort = ntohs(socket.id.idiag_sport);
  row.remotePort = ntohs(socket.id.idiag_dport);
  row.localAddress = addressOf(socket.id.idiag_src, row.family);
  row.remoteAddress = addressOf(socket.id.idiag_dst, row.family);
  row.boundInterface = socket.id.idiag_if;
  row.cookie = uint64_t{socket.id.idiag_cookie[1]} << 32 | socket.id.idiag_cookie[0];
  row.inode = socket.idiag_inode;
  row.uid = socket.idiag_uid;
  row.receiveQueue = socket.idiag_rqueue;
  row.sendQueue = socket.idiag_wqueue;

  netlink::Attributes attributes(netlink::after(message.payload, sizeof socket));
  netlink::Attribute attribute;
  uint8_t byte;
  while (attributes.next(attribute)) {
    bool whole = true;
    switch (attribute.type) {
      case kSkV6only:
        whole = attribute.read(byte);
        if (whole) row.flags |= kV6onlyKnown | (byte ? kV6only : 0);
        break;
      case kMark:
        whole = attribute.read(row.mark);
        if (whole) row.flags |= kMarkKnown;
        break;
      case kMd5:
        whole = readKeyedPeers(attribute.value, row.keyedPeers);
        break;
      case kCgroupId:
        whole = attribute.read(row.cgroup);
        break;
      case kSockopt:
        whole = attribute.read(byte);
        if (whole) row.flags |= kTransparentKnown | (isTransparent(byte) ? kTransparent : 0);
        break;
    }
    if (!whole) {
      throwDecode("sock_diag attribute " + std::to_string(attribute.type) + " has only " +
                  std::to_string(attribute.value.size()) + " bytes");
    }
  }
  if (attributes.fault()) {
    throwDecode(std::string("an attribute of a sock_diag message ") + attributes.fault());
  }
}

std::optional<netlink::Refusal> dump(netlink::Socket& socket, TableName name, uint32_t states,
                                     uint8_t extensions, const Filter& filter,
                                     netlink::Sink& sink) {
  inet_diag_req_v2 request{};
  request.idiag_ext = extensions;
  request.sdiag_family = name.family == 4 ? AF_INET : AF_INET6;
  request.sdiag_protocol = name.protocol;
  request.idiag_states = states;
  request.id.idiag_sport = htons(filter.localPort());
  request.id.idiag_dport = htons(filter.remotePort());
  std::vector<uint8_t> payload;
  netlink::put(payload, request);
  return ask(socket, SOCK_DIAG_BY_FAMILY, std::move(payload), filter, sink);
}

std::optional<netlink::Refusal> dumpTcp(netlink::Socket& socket, uint32_t states,
                                        uint8_t extensions, const Filter& filter,
                                        netlink::Sink& sink) {
  inet_diag_req request{};
  request.idiag_ext = extensions;
  request.idiag_states = states;
  request.id.idiag_sport = htons(filter.localPort());
  request.id.idiag_dport = htons(filter.remotePort());
  std::vector<uint8_t> payload;
  netlink::put(payload, request);
  return ask(socket, TCPDIAG_GETSOCK, std::move(payload), filter, sink);
}

std::optional<netlink::Refusal> lookUp(netlink::Socket& socket, const Connection& connection,
                                       uint32_t device, uint8_t extensions, netlink::Sink& sink,
                                       std::optional<uint64_t> cookie) {
  inet_diag_req_v2 request{};
  request.idiag_ext = extensions;
  request.sdiag_family = connection.family == 4 ? AF_INET : AF_INET6;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = ~uint32_t{0};
  request.id.idiag_sport = htons(connection.localPort);
  request.id.idiag_dport = htons(connection.remotePort);
  std::memcpy(request.id.idiag_src, connection.local.data(), connection.local.size());
  std::memcpy(request.id.idiag_dst, connection.remote.data(), connection.remote.size());
  request.id.idiag_if = device;
  if (cookie) {
    request.id.idiag_cookie[0] = static_cast<uint32_t>(*cookie);
    request.id.idiag_cookie[1] = static_cast<uint32_t>(*cookie >> 32);
  } else {
    std::fill_n(request.id.idiag_cookie, 2, INET_DIAG_NOCOOKIE);
  }
  std::vector<uint8_t> payload;
  netlink::put(payload, request);
  return socket.request(SOCK_DIAG_BY_FAMILY, 0, payload, sink);
}

Table decodeAll(netlink::Bytes bytes, uint8_t protocol) {
  Table table;
  Row row;
  netlink::Messages messages(bytes);
  netlink::Message message;
  while (messages.next(message)) {
    decode(message, protocol, row);
    table.append(row);
  }
  if (messages.fault()) {
    throwDecode("the message at byte " + std::to_string(messages.offset()) + " of " +
                std::to_string(bytes.size()) + " " + messages.fault());
  }
  return table;
}

}  // namespace earshot::sockets::diag
