#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace earshot::nftables {

/**
 * The rows in the order of their keys, each `width` bytes; of equal keys those first that close an
 * interval. `closes` has a byte for each row, 0 or 1.
 */
std::vector<uint32_t> sortedOrder(const std::vector<uint8_t>& keys, size_t width,
                                  const std::vector<uint8_t>& closes);

}  // namespace earshot::nftables
