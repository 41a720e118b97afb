#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace earshot::nftables {

using netlink::Bytes;

/** What has to be known of a set to read its elements. */
struct Shape {
  size_t keyLength;
  /** Bytes of a value; 0 where the set maps to none. */
  size_t valueLength;
  /** Maps to verdicts. */
  bool verdicts;
  /** An element is a first and a last key (nft_set_pipapo). */
  bool ranges;
};

/** What many elements share, each once in the order in which it was met, and which row has which.
 */
class Shared {
 public:
  static constexpr int32_t kNone = -1;

  int32_t indexOf(Bytes attribute);
  void set(size_t row, int32_t index);
  /** The number of each of so many rows in another order; empty where no row has any. */
  std::vector<int32_t> column(const std::vector<uint32_t>& order) const;

  /** Whole attributes one after the other, and where each ends. */
  std::vector<uint8_t> bytes;
  std::vector<uint32_t> ends;

 private:
  std::unordered_map<std::string, int32_t> indexes_;
  std::string last_;
  int32_t lastIndex_ = kNone;
  std::vector<int32_t> rows_;
};

/** The element for every key that no other has (NFT_SET_ELEM_CATCHALL). */
struct Catchall {
  std::optional<std::vector<uint8_t>> value;
  int32_t verdict;
  int32_t object;
  int32_t expressions;
};

/** The elements of a set in columns, sorted by key; of equal keys those first that close. */
struct Elements {
  size_t size = 0;
  std::vector<uint8_t> keys;
  std::optional<std::vector<uint8_t>> keyEnds;
  /** Bit `row & 7` of byte `row >> 3`: the element closes an interval. */
  std::vector<uint8_t> closes;
  std::vector<uint8_t> values;
  Shared verdicts, objects, expressions;
  std::vector<int32_t> verdictOf, objectOf, expressionsOf;
  std::optional<Catchall> catchall;
};

/**
 * Takes the messages of an answer to NFT_MSG_GETSETELEM. A set may hold a million elements: each
 * becomes a row in columns and nothing else. What is not of its form throws a Failure.
 */
class Packer : public netlink::Sink {
 public:
  /** `swapped`: the bytes were made on a host of the other byte order. */
  explicit Packer(const Shape& shape, bool swapped = false) : shape_(shape), swapped_(swapped) {}

  void begin() override;
  void message(const netlink::Message& message) override { add(message.whole); }

  /** One message with its header, whose length is known to be right. */
  void add(Bytes message);
  /** The elements sorted; the packer is empty then. */
  Elements finish();

 private:
  class Walk;
  struct Source;

  void element(const Source& source, Bytes attributes);

  Shape shape_;
  bool swapped_;
  size_t size_ = 0;
  std::vector<uint8_t> keys_, keyEnds_, closes_, values_;
  bool hasKeyEnds_ = false;
  Shared verdicts_, objects_, expressions_;
  std::optional<Catchall> catchall_;
};

/** The elements in the messages of a recorded answer. */
Elements packAll(const Shape& shape, Bytes messages, bool swapped);

}  // namespace earshot::nftables
