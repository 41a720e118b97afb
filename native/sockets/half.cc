#include "sockets/half.h"

#include <linux/inet_diag.h>

#include <cstddef>

#include "netlink/message.h"
#include "sockets/query.h"

namespace earshot::sockets {
namespace {

/*
 * What says in which half a socket is: that of its ports which this kernel or the peer's has likely
 * chosen, the local one if it is high, else the remote one. They are chosen from one range or
 * another (ip_local_port_range), in which the halves take turns.
 */
constexpr uint16_t kHigh = 32768;
constexpr unsigned kStripeBits = 13;

/** The stripes of a half among the ports from `from` to `to`. */
std::vector<PortRange> stripesOf(Half half, uint32_t from, uint32_t to) {
  constexpr uint32_t kStripe = 1u << kStripeBits;
  std::vector<PortRange> stripes;
  for (uint32_t at = from + (half == Half::kSecond ? kStripe : 0); at < to; at += 2 * kStripe) {
    stripes.push_back({static_cast<uint16_t>(at), static_cast<uint16_t>(at + kStripe - 1)});
  }
  return stripes;
}

}  // namespace

Half halfOf(uint16_t localPort, uint16_t remotePort) {
  const uint16_t port = localPort >= kHigh ? localPort : remotePort;
  return port >> kStripeBits & 1 ? Half::kSecond : Half::kFirst;
}

std::vector<uint8_t> programOf(Half half) {
  constexpr size_t kOperation = sizeof(inet_diag_bc_op);
  constexpr size_t kComparison = 2 * kOperation;
  constexpr size_t kAlternative = 2 * kComparison + kOperation;
  const auto high = stripesOf(half, kHigh, 1u << 16);
  const auto low = stripesOf(half, 0, 1u << 16);
  // Who is in no stripe goes on behind the end (see filter.cc).
  const size_t end = kComparison + (high.size() + low.size()) * kAlternative;
  std::vector<uint8_t> program;
  const auto compare = [&](uint8_t code, uint16_t port, size_t otherwise) {
    const auto no = static_cast<uint16_t>(otherwise - program.size());
    netlink::put(program, inet_diag_bc_op{code, kComparison, no});
    netlink::put(program, inet_diag_bc_op{0, 0, port});
  };
  const auto stripes = [&](const std::vector<PortRange>& ranges, uint8_t atLeast, uint8_t atMost) {
    for (size_t left = ranges.size(); left > 0; left--) {
      const auto [from, to] = ranges[ranges.size() - left];
      const size_t otherwise = left > 1 ? program.size() + kAlternative : end + kOperation;
      compare(atLeast, from, otherwise);
      compare(atMost, to, otherwise);
      netlink::put(program, inet_diag_bc_op{INET_DIAG_BC_JMP, kOperation,
                                            static_cast<uint16_t>(end - program.size())});
    }
  };
  compare(INET_DIAG_BC_S_GE, kHigh, kComparison + high.size() * kAlternative);
  stripes(high, INET_DIAG_BC_S_GE, INET_DIAG_BC_S_LE);
  stripes(low, INET_DIAG_BC_D_GE, INET_DIAG_BC_D_LE);
  return program;
}

}  // namespace earshot::sockets
