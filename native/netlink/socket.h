#pragma once

#include <memory>
#include <optional>
#include <string>

#include "descriptor.h"
#include "netlink/message.h"

namespace earshot::netlink {

/** The kernel's answer to a request it does not grant. */
struct Refusal {
  /** Positive. */
  int code;
  /** The extended-ack text, or empty. */
  std::string detail;
};

/** Where a datagram is received. */
struct Buffer {
  size_t capacity = 0;
  std::unique_ptr<uint8_t[]> bytes;
};

/** Takes the messages of an answer. */
class Sink {
 public:
  virtual ~Sink() = default;
  /** The answer starts, perhaps again: what came before is void. */
  virtual void begin() = 0;
  virtual void message(const Message& message) = 0;
  /**
   * The messages of a datagram of so many bytes have been handed over, and these go. Who needs them
   * for longer takes the buffer that they are in, and leaves another for the next, or none.
   */
  virtual void datagram(size_t, Buffer&) {}
};

/** A netlink socket of the calling thread's network namespace. Not shared between threads. */
class Socket {
 public:
  /** Throws when this user or this kernel has no such protocol. */
  explicit Socket(int protocol);

  /** What the protocol is called: "rtnetlink", "sock_diag". */
  const char* name() const;

  /**
   * Sends one request and hands over the whole answer, or returns why there is none. A dump that
   * changed under the reader's hands is read again, at most kAttempts times; then, and when the
   * transport itself fails, it throws.
   */
  std::optional<Refusal> request(uint16_t type, uint16_t flags, Bytes payload, Sink& sink);

  /** As above, but a refusal throws too, naming what was asked. */
  void demand(uint16_t type, uint16_t flags, Bytes payload, Sink& sink, const char* what);

  /** Subscribes to a multicast group. */
  void join(uint32_t group);

  /** Has a group spoken, or spoken so much that the kernel had to drop some of it? Never waits. */
  bool heard();

  static constexpr int kAttempts = 10;

 private:
  enum class Exchange { kComplete, kInterrupted, kOverrun };

  void send(uint16_t type, uint16_t flags, Bytes payload);
  Exchange receive(Sink& sink, std::optional<Refusal>& refusal);
  std::optional<Exchange> handOver(Messages& messages, Sink& sink, bool& interrupted,
                                   std::optional<Refusal>& refusal);
  /** The next datagram from the kernel, or nothing when some were dropped for want of memory. */
  std::optional<Bytes> datagram();

  int protocol_;
  Descriptor descriptor_;
  uint32_t sequence_ = 0;
  size_t capacity_;
  Buffer buffer_;
};

}  // namespace earshot::netlink
