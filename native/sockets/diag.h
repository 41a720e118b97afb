#pragma once

#include <optional>

#include "netlink/socket.h"
#include "sockets/filter.h"
#include "sockets/query.h"
#include "sockets/table.h"

namespace earshot::sockets::diag {

/** Decodes one sock_diag message of a protocol into `row`; throws what is wrong with it. */
void decode(const netlink::Message& message, uint8_t protocol, Row& row);

/** Asks for one table, with `extensions` as idiag_ext; the messages of sockets that the kernel's
 * filter lets through go to `sink`.
 */
std::optional<netlink::Refusal> dump(netlink::Socket& socket, TableName name, uint32_t states,
                                     uint8_t extensions, const Filter& filter, netlink::Sink& sink);

/**
 * Asks for the TCP sockets of both families at once. SOCK_DIAG_BY_FAMILY knows no AF_UNSPEC, but
 * the request it replaced always means that (inet_diag_dump_compat), and most of what a dump costs
 * is the walk over every bucket of the hash tables, whatever they hold.
 */
std::optional<netlink::Refusal> dumpTcp(netlink::Socket& socket, uint32_t states,
                                        uint8_t extensions, const Filter& filter,
                                        netlink::Sink& sink);

/** Both ends of a TCP connection. */
struct Connection {
  /** 4 or 6. */
  uint8_t family;
  Address local;
  uint16_t localPort;
  Address remote;
  uint16_t remotePort;
};

/**
 * Asks for one connection in the scope of a device, 0 for those bound to none: the kernel looks in
 * its hash table (inet_diag_find_one_icsk). Refused with ENOENT where there is nothing; the
 * listener that would take a packet of such a connection is told too. With a cookie only the very
 * socket that has it is told, and ESTALE is another refusal (sock_diag_check_cookie).
 */
std::optional<netlink::Refusal> lookUp(netlink::Socket& socket, const Connection& connection,
                                       uint32_t device, uint8_t extensions, netlink::Sink& sink,
                                       std::optional<uint64_t> cookie = std::nullopt);

/** Recorded messages of one protocol as a table. */
Table decodeAll(netlink::Bytes bytes, uint8_t protocol);

}  // namespace earshot::sockets::diag
