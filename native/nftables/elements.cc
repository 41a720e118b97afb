#include "nftables/elements.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cerrno>
#include <limits>
#include <utility>

#include "error.h"
#include "nftables/order.h"

/*
 * One message, with nfgenmsg behind its header:
 *
 *   NFTA_SET_ELEM_LIST_ELEMENTS
 *     NFTA_LIST_ELEM
 *       NFTA_SET_ELEM_KEY         NFTA_DATA_VALUE     bytes
 *       NFTA_SET_ELEM_KEY_END     NFTA_DATA_VALUE     bytes
 *       NFTA_SET_ELEM_DATA        NFTA_DATA_VALUE     bytes, or NFTA_DATA_VERDICT
 *       NFTA_SET_ELEM_FLAGS       be32
 *       NFTA_SET_ELEM_EXPIRATION  be64, milliseconds that are left
 *       NFTA_SET_ELEM_EXPR, _EXPRESSIONS, _OBJREF
 */
namespace earshot::nftables {
namespace {

// Newer than the oldest headers that this must build with.
constexpr uint16_t kKeyEnd = 10;       // NFTA_SET_ELEM_KEY_END, Linux 5.6
constexpr uint16_t kExpressions = 11;  // NFTA_SET_ELEM_EXPRESSIONS, Linux 5.11
constexpr uint32_t kCatchall = 2;      // NFT_SET_ELEM_CATCHALL, Linux 5.13

constexpr uint16_t kNewSetElements = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM;

uint16_t swapIf(bool swapped, uint16_t value) { return swapped ? __builtin_bswap16(value) : value; }
uint32_t swapIf(bool swapped, uint32_t value) { return swapped ? __builtin_bswap32(value) : value; }

uint32_t bigEndian32(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

void append(std::vector<uint8_t>& column, Bytes bytes) {
  column.insert(column.end(), bytes.begin(), bytes.end());
}

std::vector<uint8_t> gathered(const std::vector<uint8_t>& column, size_t width,
                              const std::vector<uint32_t>& order) {
  std::vector<uint8_t> result(order.size() * width);
  if (width == 0) return result;
  uint8_t* to = result.data();
  for (const uint32_t row : order) {
    std::memcpy(to, column.data() + row * width, width);
    to += width;
  }
  return result;
}

}  // namespace

int32_t Shared::indexOf(Bytes attribute) {
  const std::string_view text(reinterpret_cast<const char*>(attribute.data()), attribute.size());
  if (lastIndex_ != kNone && text == last_) return lastIndex_;
  last_ = text;
  const auto [entry, isNew] = indexes_.try_emplace(last_, static_cast<int32_t>(indexes_.size()));
  if (isNew) {
    append(bytes, attribute);
    if (bytes.size() > std::numeric_limits<uint32_t>::max()) {
      throw Failure{Operation::kKernel, "nfnetlink", EFBIG,
                    "what the elements of one set carry is more than 4 GiB"};
    }
    ends.push_back(static_cast<uint32_t>(bytes.size()));
  }
  lastIndex_ = entry->second;
  return lastIndex_;
}

void Shared::set(size_t row, int32_t index) {
  if (index == kNone) return;
  rows_.resize(row, kNone);
  rows_.push_back(index);
}

std::vector<int32_t> Shared::column(const std::vector<uint32_t>& order) const {
  std::vector<int32_t> result;
  if (rows_.empty()) return result;
  result.reserve(order.size());
  for (const uint32_t row : order) result.push_back(row < rows_.size() ? rows_[row] : kNone);
  return result;
}

/** The message that is being read: what is wrong in it is told by its place. */
struct Packer::Source {
  Bytes message;
  bool swapped;

  [[noreturn]] void refuse(const uint8_t* at, const std::string& why) const {
    throwDecode("at byte " + std::to_string(at - message.data()) + ": " + why);
  }
};

/** Walks the attributes of a nest; one that does not end within it throws. */
class Packer::Walk {
 public:
  Walk(const Source& source, Bytes nest, const char* prefix)
      : source_(source), rest_(nest), prefix_(prefix) {}

  bool next() {
    if (rest_.empty()) return false;
    nlattr header{};
    if (netlink::load(rest_, header)) {
      header.nla_len = swapIf(source_.swapped, header.nla_len);
    }
    if (header.nla_len < sizeof header || header.nla_len > rest_.size()) {
      source_.refuse(rest_.data(), "of " + std::to_string(rest_.size()) + " bytes no " + prefix_ +
                                       "_* attribute can be read");
    }
    type = swapIf(source_.swapped, header.nla_type) & NLA_TYPE_MASK;
    whole = rest_.first(header.nla_len);
    value = whole.subspan(sizeof header);
    rest_ = netlink::after(rest_, netlink::align(header.nla_len));
    return true;
  }

  /** The value, which has to be of this size. */
  const uint8_t* sized(size_t size, const char* name) const {
    if (value.size() != size) mistaken(name, value.size(), size);
    return value.data();
  }

  /** The NFTA_DATA_VALUE in the value, which has to be of this size. */
  Bytes data(size_t size, const char* name) const {
    Walk inner(source_, value, "NFTA_DATA");
    while (inner.next()) {
      if (inner.type != NFTA_DATA_VALUE) continue;
      if (inner.value.size() != size) inner.mistaken(name, inner.value.size(), size);
      return inner.value;
    }
    source_.refuse(whole.data(), std::string(name) + " has no NFTA_DATA_VALUE");
  }

  uint16_t type = 0;
  Bytes value;
  /** With its header. */
  Bytes whole;

 private:
  [[noreturn]] void mistaken(const char* name, size_t size, size_t wanted) const {
    source_.refuse(value.data(), std::string(name) + " is " + std::to_string(size) +
                                     " bytes long, not " + std::to_string(wanted));
  }

  const Source& source_;
  Bytes rest_;
  const char* prefix_;
};

void Packer::begin() { *this = Packer(shape_, swapped_); }

void Packer::add(Bytes message) {
  const Source source{message, swapped_};
  nlmsghdr header{};
  if (!netlink::load(message, header)) source.refuse(message.data(), "no message header");
  if (swapIf(swapped_, header.nlmsg_type) != kNewSetElements) return;
  const Bytes payload = netlink::after(message, sizeof header);
  if (payload.size() < sizeof(nfgenmsg)) source.refuse(payload.data(), "no struct nfgenmsg");
  Walk walk(source, netlink::after(payload, sizeof(nfgenmsg)), "NFTA_SET_ELEM_LIST");
  while (walk.next()) {
    if (walk.type != NFTA_SET_ELEM_LIST_ELEMENTS) continue;
    Walk list(source, walk.value, "NFTA_LIST");
    while (list.next()) element(source, list.value);
  }
}

void Packer::element(const Source& source, Bytes attributes) {
  std::optional<Bytes> key, keyEnd, value, verdict, object, expressions;
  uint32_t flags = 0;
  bool expired = false;
  Walk walk(source, attributes, "NFTA_SET_ELEM");
  while (walk.next()) {
    switch (walk.type) {
      case NFTA_SET_ELEM_KEY:
        key = walk.data(shape_.keyLength, "NFTA_SET_ELEM_KEY");
        break;
      case kKeyEnd:
        keyEnd = walk.data(shape_.keyLength, "NFTA_SET_ELEM_KEY_END");
        break;
      case NFTA_SET_ELEM_DATA:
        if (shape_.verdicts) {
          verdict = walk.whole;
        } else if (shape_.valueLength > 0) {
          value = walk.data(shape_.valueLength, "NFTA_SET_ELEM_DATA");
        }
        break;
      case NFTA_SET_ELEM_FLAGS:
        flags = bigEndian32(walk.sized(4, "NFTA_SET_ELEM_FLAGS"));
        break;
      case NFTA_SET_ELEM_EXPIRATION: {
        // What is left of its time: none means that it has gone.
        const uint8_t* left = walk.sized(8, "NFTA_SET_ELEM_EXPIRATION");
        expired = bigEndian32(left) == 0 && bigEndian32(left + 4) == 0;
        break;
      }
      case NFTA_SET_ELEM_EXPR:
      case kExpressions:
        expressions = walk.whole;
        break;
      case NFTA_SET_ELEM_OBJREF:
        object = walk.whole;
        break;
    }
  }
  if (expired) return;
  const auto numbered = [](Shared& shared, const std::optional<Bytes>& attribute) {
    return attribute ? shared.indexOf(*attribute) : Shared::kNone;
  };
  const int32_t verdictIndex = numbered(verdicts_, verdict);
  const int32_t objectIndex = numbered(objects_, object);
  const int32_t expressionsIndex = numbered(expressions_, expressions);
  if (flags & kCatchall) {
    catchall_ = Catchall{std::nullopt, verdictIndex, objectIndex, expressionsIndex};
    if (value) catchall_->value.emplace(value->begin(), value->end());
    return;
  }
  if (!key) source.refuse(attributes.data(), "NFTA_SET_ELEM_KEY is not there");
  const size_t row = size_++;
  if (!hasKeyEnds_ && (keyEnd || shape_.ranges)) {
    keyEnds_ = keys_;  // one key alone is a range of itself
    hasKeyEnds_ = true;
  }
  append(keys_, *key);
  if (hasKeyEnds_) append(keyEnds_, keyEnd.value_or(*key));
  closes_.push_back(flags & NFT_SET_ELEM_INTERVAL_END ? 1 : 0);
  if (value) {
    append(values_, *value);
  } else {
    values_.resize(values_.size() + shape_.valueLength);
  }
  verdicts_.set(row, verdictIndex);
  objects_.set(row, objectIndex);
  expressions_.set(row, expressionsIndex);
}

Elements Packer::finish() {
  const auto order = sortedOrder(keys_, shape_.keyLength, closes_);
  Elements elements;
  elements.size = size_;
  elements.keys = gathered(keys_, shape_.keyLength, order);
  if (hasKeyEnds_ || shape_.ranges) elements.keyEnds = gathered(keyEnds_, shape_.keyLength, order);
  elements.closes.resize((size_ + 7) / 8);
  for (size_t place = 0; place < size_; place++) {
    elements.closes[place >> 3] |= static_cast<uint8_t>(closes_[order[place]] << (place & 7));
  }
  elements.values = gathered(values_, shape_.valueLength, order);
  elements.verdictOf = verdicts_.column(order);
  elements.objectOf = objects_.column(order);
  elements.expressionsOf = expressions_.column(order);
  elements.verdicts = std::move(verdicts_);
  elements.objects = std::move(objects_);
  elements.expressions = std::move(expressions_);
  elements.catchall = std::move(catchall_);
  begin();
  return elements;
}

Elements packAll(const Shape& shape, Bytes messages, bool swapped) {
  Packer packer(shape, swapped);
  size_t at = 0;
  while (at < messages.size()) {
    const Bytes rest = netlink::after(messages, at);
    nlmsghdr header{};
    if (netlink::load(rest, header)) header.nlmsg_len = swapIf(swapped, header.nlmsg_len);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) {
      throwDecode("at byte " + std::to_string(at) + ": a message of " +
                  std::to_string(header.nlmsg_len) + " bytes where " + std::to_string(rest.size()) +
                  " are left");
    }
    packer.add(rest.first(header.nlmsg_len));
    at += netlink::align(header.nlmsg_len);
  }
  return packer.finish();
}

}  // namespace earshot::nftables
