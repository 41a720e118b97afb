#include "nftables/read.h"

#include <linux/netlink.h>

#include <utility>

#include "netlink/beside.h"

namespace earshot::nftables {

std::vector<std::variant<Elements, netlink::Refusal>> readElements(
    const std::vector<SetRequest>& sets) {
  std::vector<std::variant<Elements, netlink::Refusal>> answers;
  netlink::Socket socket(NETLINK_NETFILTER);
  for (const auto& [request, shape] : sets) {
    Packer packer(shape);
    netlink::Beside beside(packer);
    auto refusal = socket.request(request.type, request.flags, request.payload, beside);
    beside.finish();
    if (refusal) {
      answers.emplace_back(std::move(*refusal));
    } else {
      answers.emplace_back(packer.finish());
    }
  }
  return answers;
}

}  // namespace earshot::nftables
