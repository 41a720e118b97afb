#include "nftables/order.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>

namespace earshot::nftables {
namespace {

/** One pass of a counting sort, which keeps what the passes before it made. */
class Passes {
 public:
  explicit Passes(std::vector<uint32_t> order) : order_(std::move(order)), next_(order_.size()) {}

  /** By one byte of each row, the smallest first. */
  template <class ByteOf>
  void by(const ByteOf& byteOf) {
    std::array<uint32_t, 256> starts{};
    const auto count = static_cast<uint32_t>(order_.size());
    for (uint32_t row = 0; row < count; row++) starts[byteOf(row)]++;
    uint32_t start = 0;
    for (uint32_t& place : starts) {
      // A byte that is the same in all keys, as in the prefix they share, has no pass.
      if (place == count) return;
      start += std::exchange(place, start);
    }
    for (const uint32_t row : order_) next_[starts[byteOf(row)]++] = row;
    order_.swap(next_);
  }

  std::vector<uint32_t> take() { return std::move(order_); }

 private:
  std::vector<uint32_t> order_, next_;
};

}  // namespace

std::vector<uint32_t> sortedOrder(const std::vector<uint8_t>& keys, size_t width,
                                  const std::vector<uint8_t>& closes) {
  std::vector<uint32_t> order(closes.size());
  std::iota(order.begin(), order.end(), 0);
  bool rises = true;
  bool falls = true;
  for (size_t row = 1; row < closes.size() && (rises || falls); row++) {
    int difference = 0;
    if (width > 0) {
      difference = std::memcmp(&keys[(row - 1) * width], &keys[row * width], width);
    }
    if (difference == 0) difference = closes[row] - closes[row - 1];
    if (difference > 0) rises = false;
    if (difference <= 0) falls = false;
  }
  if (rises) return order;
  // The tree of an interval set is asked from its largest key down (nft_rbtree_cmp).
  if (falls) {
    std::reverse(order.begin(), order.end());
    return order;
  }
  Passes passes(std::move(order));
  passes.by([&](uint32_t row) { return static_cast<uint8_t>(1 - closes[row]); });
  for (size_t byte = width; byte-- > 0;) {
    passes.by([&](uint32_t row) { return keys[row * width + byte]; });
  }
  return passes.take();
}

}  // namespace earshot::nftables
