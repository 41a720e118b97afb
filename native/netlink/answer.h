#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "netlink/socket.h"

namespace earshot::netlink {

struct Request {
  uint16_t type;
  uint16_t flags;
  std::vector<uint8_t> payload;
};

struct Query {
  int protocol;
  std::vector<Request> requests;
  std::vector<uint32_t> watchGroups;
};

struct Answer {
  /** For each request its reply messages, or why there are none. */
  std::vector<std::variant<std::vector<uint8_t>, Refusal>> replies;
  /** Did a watched group speak between the first request and the last answer? */
  bool changed = false;
};

/** Asks one thing after the other on one socket, in this thread's namespace, and keeps the raw
 * answers. */
Answer ask(const Query& query);

/** Keeps the raw messages of an answer. */
class Recorder : public Sink {
 public:
  void begin() override { bytes.clear(); }
  void message(const Message& message) override {
    bytes.insert(bytes.end(), message.whole.begin(), message.whole.end());
    bytes.resize(align(bytes.size()));
  }

  std::vector<uint8_t> bytes;
};

}  // namespace earshot::netlink
