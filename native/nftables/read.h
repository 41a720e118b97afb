#pragma once

#include <variant>
#include <vector>

#include "netlink/answer.h"
#include "nftables/elements.h"

namespace earshot::nftables {

/** A set whose elements are asked for. */
struct SetRequest {
  netlink::Request request;
  Shape shape;
};

/** The elements of each set, or why there are none; asked one after the other on one socket. */
std::vector<std::variant<Elements, netlink::Refusal>> readElements(
    const std::vector<SetRequest>& sets);

}  // namespace earshot::nftables
