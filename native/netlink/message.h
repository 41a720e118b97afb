#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

/*
 * A datagram is messages one after the other, a message is a header and a payload, a payload is a
 * fixed part and attributes one after the other; each starts on a multiple of four bytes:
 *
 *   | length 4 | type 2 | flags 2 | sequence 4 | port 4 | fixed part | attribute | attribute | …
 *                                                                     | length 2 | type 2 | value |
 * pad
 *
 * Nothing here touches a socket. Values are loaded by memcpy, since nothing says that the bytes are
 * aligned, and no cursor ever looks behind the end of what it was given: a length that lies makes
 * it stop, and stay stopped, with its reason in fault().
 */
namespace earshot::netlink {

using Bytes = std::span<const uint8_t>;

/** Copies a value from the front of `bytes`; false, and `out` untouched, when there are too few. */
template <class T>
requires std::is_trivially_copyable_v<T>
bool load(Bytes bytes, T& out) {
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(&out, bytes.data(), sizeof(T));
  return true;
}

/** What is left of `bytes` behind the first `count`, or nothing when there are fewer. */
inline Bytes after(Bytes bytes, size_t count) {
  return bytes.subspan(count < bytes.size() ? count : bytes.size());
}

constexpr size_t align(size_t length) { return (length + 3) & ~size_t{3}; }

struct Message {
  uint16_t type;
  uint16_t flags;
  uint32_t sequence;
  Bytes payload;
  /** Header and payload. */
  Bytes whole;
};

/** Walks the messages of a datagram. */
class Messages {
 public:
  explicit Messages(Bytes bytes) : rest_(bytes), size_(bytes.size()) {}

  /** The next message; false, and `out` untouched, at the end and after a fault. */
  bool next(Message& out) {
    if (fault_ || rest_.empty()) return false;
    nlmsghdr header;
    if (!load(rest_, header)) return fail("is shorter than a message header");
    if (header.nlmsg_len < sizeof header) return fail("has a length below that of its header");
    if (header.nlmsg_len > rest_.size()) return fail("is longer than the bytes that are left");
    const Bytes whole = rest_.first(header.nlmsg_len);
    out = {header.nlmsg_type, header.nlmsg_flags, header.nlmsg_seq, after(whole, sizeof header),
           whole};
    rest_ = after(rest_, align(header.nlmsg_len));
    return true;
  }

  /** Why the walk stopped before the end, or null. */
  const char* fault() const { return fault_; }
  /** Where the walk stands, in bytes from the start. */
  size_t offset() const { return size_ - rest_.size(); }

 private:
  bool fail(const char* reason) {
    fault_ = reason;
    return false;
  }

  Bytes rest_;
  size_t size_;
  const char* fault_ = nullptr;
};

struct Attribute {
  uint16_t type;
  Bytes value;

  template <class T>
  bool read(T& out) const {
    return load(value, out);
  }
};

/** Walks the attributes behind a message's fixed part. */
class Attributes {
 public:
  explicit Attributes(Bytes bytes) : rest_(bytes) {}

  /** The next attribute; false, and `out` untouched, at the end and after a fault. */
  bool next(Attribute& out) {
    if (fault_ || rest_.empty()) return false;
    nlattr header;
    if (!load(rest_, header)) return fail("is shorter than an attribute header");
    if (header.nla_len < sizeof header) return fail("has a length below that of its header");
    if (header.nla_len > rest_.size()) return fail("is longer than its message");
    out = {static_cast<uint16_t>(header.nla_type & NLA_TYPE_MASK),
           rest_.first(header.nla_len).subspan(sizeof header)};
    rest_ = after(rest_, align(header.nla_len));
    return true;
  }

  /** Why the walk stopped before the end, or null. */
  const char* fault() const { return fault_; }

 private:
  bool fail(const char* reason) {
    fault_ = reason;
    return false;
  }

  Bytes rest_;
  const char* fault_ = nullptr;
};

/** Appends the bytes of a value, which must have no padding of its own. */
template <class T>
requires std::is_trivially_copyable_v<T>
void put(std::vector<uint8_t>& bytes, const T& value) {
  const size_t at = bytes.size();
  bytes.resize(at + sizeof(T));
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

/** Appends an attribute; `value` must be shorter than 64 KiB. */
inline void putAttribute(std::vector<uint8_t>& bytes, uint16_t type, Bytes value) {
  put(bytes, nlattr{static_cast<uint16_t>(sizeof(nlattr) + value.size()), type});
  bytes.insert(bytes.end(), value.begin(), value.end());
  bytes.resize(align(bytes.size()));
}

}  // namespace earshot::netlink
