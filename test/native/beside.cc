// Holds the handing of messages to another thread against what it promises: all of them, in order,
// and what the sink threw. Built with a sanitizer and run by beside.test.ts.

#include "netlink/beside.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
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

void give(Sink& sink, uint32_t number, size_t size) {
  // Gone when the call returns, as the buffer that datagrams are received into.
  const auto bytes = made(number, size);
  Messages messages(bytes);
  Message message;
  check(messages.next(message), "a message that was made can be read");
  sink.message(message);
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
    for (uint32_t number = 0; number < kMany; number++) give(beside, number, size);
    beside.finish();
    check(inOrder(sink.numbers, kMany), "all come, in order");
  }
  {
    Numbers sink;
    Beside beside(sink);
    beside.begin();
    for (uint32_t number = 0; number < kMany; number++) {
      give(beside, number, number % 3 == 1 ? kLong : kShort);
    }
    beside.finish();
    check(inOrder(sink.numbers, kMany), "short ones behind long ones keep their place");
  }
  {
    Numbers sink;
    Beside beside(sink);
    for (int attempt = 0; attempt < 20; attempt++) {
      beside.begin();
      for (uint32_t number = 0; number < 10; number++) give(beside, number, kLong);
    }
    beside.finish();
    check(inOrder(sink.numbers, 10), "what came before it began again is void");
  }
  {
    Numbers sink;
    sink.refused = 5;
    Beside beside(sink);
    beside.begin();
    for (uint32_t number = 0; number < kMany; number++) give(beside, number, kLong);
    check(throwsAtTheEnd(beside), "what the sink threw is thrown at the end");
    check(inOrder(sink.numbers, 5), "and nothing came to it afterwards");
    sink.refused = UINT32_MAX;
    beside.begin();
    for (uint32_t number = 0; number < 3; number++) give(beside, number, kLong);
    beside.finish();
    check(inOrder(sink.numbers, 3), "it can begin again");
  }
  for (int attempt = 0; attempt < 50; attempt++) {
    Numbers sink;
    Beside beside(sink);
    beside.begin();
    for (uint32_t number = 0; number < 5; number++) give(beside, number, kLong);
    // The request failed: nobody finishes it.
  }
  return 0;
}
