// Holds the cursors and decoders against bytes that end where the memory ends: whatever is given is
// put right before a page that may not be touched, so that one byte too many is a fault at once.
// Built with the sanitizers and run by cursors.test.ts; the arguments are recorded dumps.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "error.h"
#include "netlink/message.h"
#include "nftables/elements.h"
#include "nftables/order.h"
#include "sockets/diag.h"
#include "sockets/procfs.h"

namespace {

using earshot::netlink::Attribute;
using earshot::netlink::Attributes;
using earshot::netlink::Bytes;
using earshot::netlink::Message;
using earshot::netlink::Messages;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

class GuardedMemory {
 public:
  explicit GuardedMemory(size_t size) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    usable_ = (size + page - 1) / page * page;
    void* memory =
        mmap(nullptr, usable_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory != MAP_FAILED, "there is memory");
    start_ = static_cast<uint8_t*>(memory);
    check(mprotect(start_ + usable_, page, PROT_NONE) == 0, "a page can be closed");
  }

  /** The bytes, right before the closed page. */
  Bytes atEnd(Bytes bytes) {
    uint8_t* place = start_ + usable_ - bytes.size();
    if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
    return {place, bytes.size()};
  }

 private:
  uint8_t* start_;
  size_t usable_;
};

void walk(Bytes bytes) {
  Messages messages(bytes);
  Message message;
  size_t total = 0;
  while (messages.next(message)) {
    check(message.whole.size() >= 16, "a message has a header");
    total += message.whole.size();
    Attributes attributes(message.payload);
    Attribute attribute;
    uint64_t value;
    while (attributes.next(attribute)) {
      if (!attribute.read(value)) continue;
      check(attribute.value.size() >= sizeof value, "a value is read from enough bytes");
    }
    check(!attributes.next(attribute), "an ended walk over attributes stays ended");
  }
  check(!messages.next(message), "an ended walk over messages stays ended");
  check(total <= bytes.size(), "messages are not longer than their bytes");
  check(messages.fault() || messages.offset() == bytes.size(),
        "a walk ends at the end or says why");
}

/** As the elements of sets of several shapes: the columns fit to each other, whatever is read. */
void pack(Bytes bytes) {
  using namespace earshot::nftables;
  constexpr struct {
    Shape shape;
    bool swapped;
  } kReadAs[] = {
      {{4, 4, false, false}, false}, {{8, 0, true, true}, false}, {{2, 0, true, false}, true}};
  for (const auto& [shape, swapped] : kReadAs) {
    try {
      const Elements elements = packAll(shape, bytes, swapped);
      check(elements.keys.size() == elements.size * shape.keyLength, "each element has a key");
      check(elements.values.size() == elements.size * shape.valueLength, "and its value");
      check(elements.closes.size() == (elements.size + 7) / 8, "and a bit");
      for (const auto* column :
           {&elements.verdictOf, &elements.objectOf, &elements.expressionsOf}) {
        check(column->empty() || column->size() == elements.size, "and a number, or none has");
      }
    } catch (const earshot::Failure&) {
    }
  }
}

void decode(Bytes bytes) {
  using namespace earshot::sockets;
  pack(bytes);
  try {
    diag::decodeAll(bytes, 6);
  } catch (const earshot::Failure&) {
  }
  try {
    procfs::decode({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, {6, 4}, true,
                   [](const Row&) {});
  } catch (const earshot::Failure&) {
  }
}

void sortedOrderIsThatOfKeys() {
  using namespace earshot::nftables;
  const std::vector<uint8_t> keys{3, 1, 2, 2, 0};
  const std::vector<uint8_t> closes{0, 0, 0, 1, 0};
  check(sortedOrder(keys, 1, closes) == std::vector<uint32_t>{4, 1, 3, 2, 0},
        "rows are in the order of their keys, those that close first");
  check(sortedOrder({}, 4, {}).empty(), "no rows are in order");
  check(sortedOrder({}, 0, {0, 1}) == std::vector<uint32_t>{1, 0}, "keys may be of no bytes");
}

void failedLoadLeavesItsOutput() {
  uint32_t value = 7;
  const uint8_t bytes[3] = {1, 2, 3};
  check(!earshot::netlink::load(Bytes(bytes, 3), value) && value == 7,
        "a load from too few bytes leaves its output alone");
}

}  // namespace

int main(int count, char** paths) {
  failedLoadLeavesItsOutput();
  sortedOrderIsThatOfKeys();
  const unsigned seed = std::random_device{}();
  std::printf("SEED=%u\n", seed);
  std::mt19937 random(seed);
  std::string proc =
      "  sl  local_address rem_address\n   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 "
      "00:00000000 00000000     0        0 1234 1\n";
  std::vector<std::vector<uint8_t>> inputs{{proc.begin(), proc.end()}};
  for (int at = 1; at < count; at++) {
    std::ifstream file(paths[at], std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    check(!inputs.back().empty(), "a recording was read");
  }
  for (const auto& input : inputs) {
    GuardedMemory memory(input.size());
    for (size_t length = 0; length <= input.size(); length++) {
      const Bytes cut = memory.atEnd(Bytes(input).first(length));
      walk(cut);
      decode(cut);
    }
    for (int round = 0; round < 3000; round++) {
      auto spoiled = input;
      spoiled.resize(random() % (input.size() + 1));
      for (unsigned change = random() % 8; change > 0 && !spoiled.empty(); change--) {
        spoiled[random() % spoiled.size()] = static_cast<uint8_t>(random());
      }
      const Bytes bytes = memory.atEnd(spoiled);
      walk(bytes);
      decode(bytes);
    }
  }
}
