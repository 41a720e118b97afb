// Holds the handing of messages to another thread against what it promises: all of them, in order,
// and what the sink threw. Built with a sanitizer and run by beside.test.ts.

#include "netlink/beside.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace earshot::netlink;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

/** A message of so many bytes whose number is in its header. */
std::vector<uint8_t> made(uint32_t number, size_t size) {
  std::vector<uint8_t> bytes(size, static_cast<uint8_t>(number));
  nlmsghdr header{};
  header.nlmsg_len = static_cast<uint32_t>(size);
  header.nlmsg_seq = number;
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

/** What receives, as Socket does: into one buffer again and again, unless that is taken. */
class Source {
 public:
  explicit Source(Sink& sink) : sink_(sink) {}

  /** A datagram of messages of so many bytes each. */
  void give(uint32_t first, uint32_t count, size_t size) {
    const size_t length = count * size;
    if (!buffer_.bytes || buffer_.capacity < length) {
      buffer_ = {length, std::unique_ptr<uint8_t[]>(new uint8_t[length])};
      buffers++;
    }
    for (uint32_t at = 0; at < count; at++) {
      const auto bytes = made(first + at, size);
      std::memcpy(buffer_.bytes.get() + at * size, bytes.data(), size);
    }
    Messages messages(Bytes(buffer_.bytes.get(), length));
    Message message;
    while (messages.next(message)) sink_.message(message);
    check(!messages.fault(), "messages that were made can be read");
    sink_.datagram(length, buffer_);
  }

  /** So many were made. */
  size_t buffers = 0;

 private:
  Sink& sink_;
  Buffer buffer_;
};

void give(Sink& sink, uint32_t count, size_t size) {
  Source source(sink);
  for (uint32_t number = 0; number < count; number++) source.give(number, 1, size);
}

class Numbers : public Sink {
 public:
  void begin() override { numbers.clear(); }
  void message(const Message& message) override {
    if (message.sequence == refused) throw std::runtime_error("refused");
    check(message.whole.back() == static_cast<uint8_t>(message.sequence), "the bytes are its own");
    numbers.push_back(message.sequence);
  }

  uint32_t refused = UINT32_MAX;
  std::vector<uint32_t> numbers;
};

bool inOrder(const std::vector<uint32_t>& numbers, uint32_t count) {
  if (numbers.size() != count) return false;
  for (uint32_t at = 0; at < count; at++) {
    if (numbers[at] != at) return false;
  }
  return true;
}

bool throwsAtTheEnd(Beside& beside) {
  try {
    beside.finish();
    return false;
  } catch (const std::runtime_error&) {
    return true;
  }
}

constexpr size_t kShort = 100;
constexpr size_t kLong = 32 * 1024;
constexpr uint32_t kMany = 300;

}  // namespace

int main() {
  for (const size_t size : {kShort, kLong}) {
    Numbers sink;
    Beside beside(sink);
    beside.begin();
    give(beside, kMany, size);
    beside.finish();
    check(inOrder(sink.numbers, kMany), "all come, in order");
  }
  {
    Numbers sink;
    Beside beside(sink);
    beside.begin();
    Source source(beside);
    for (uint32_t number = 0; number < 100 * kMany; number += 100) {
      source.give(number, 100, number % 300 == 0 ? kLong / 100 * 4 : kShort);
    }
    beside.finish();
    check(inOrder(sink.numbers, 100 * kMany), "those of one datagram stay together, in order");
  }
  {
    class Slow : public Numbers {
      void message(const Message& message) override {
        std::this_thread::sleep_for(std::chrono::microseconds(300));
        Numbers::message(message);
      }
    };
    Slow sink;
    Beside beside(sink);
    beside.begin();
    Source source(beside);
    for (uint32_t number = 0; number < 4 * kMany; number++) source.give(number, 1, kLong);
    beside.finish();
    check(inOrder(sink.numbers, 4 * kMany), "a slow one is told all");
    check(source.buffers < 2 * kMany, "and does not fill the memory");
  }
  {
    Numbers sink;
    Beside beside(sink);
    for (int attempt = 0; attempt < 20; attempt++) {
      beside.begin();
      give(beside, 10, kLong);
    }
    beside.finish();
    check(inOrder(sink.numbers, 10), "what came before it began again is void");
  }
  for (const uint32_t refused : {50u, kMany - 1}) {
    Numbers sink;
    sink.refused = refused;
    Beside beside(sink);
    beside.begin();
    give(beside, kMany, kLong);
    check(throwsAtTheEnd(beside), "what the sink threw is thrown at the end");
    check(inOrder(sink.numbers, refused), "and nothing came to it afterwards");
    sink.refused = UINT32_MAX;
    beside.begin();
    give(beside, 10, kLong);
    beside.finish();
    check(inOrder(sink.numbers, 10), "it can begin again");
  }
  for (int attempt = 0; attempt < 50; attempt++) {
    Numbers sink;
    Beside beside(sink);
    beside.begin();
    give(beside, 20, kLong);
    // The request failed: nobody finishes it.
  }
  return 0;
}
