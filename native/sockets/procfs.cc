#include "sockets/procfs.h"

#include <netinet/in.h>
#include <unistd.h>

#include <charconv>
#include <string>
#include <vector>

#include "error.h"
#include "files/read.h"

namespace earshot::sockets::procfs {
namespace {

/*
 *   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
 * … 0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 …
 *
 * (tcp4_seq_show, tcp6_seq_show, udp4_format_sock, udp6_sock_seq_show)
 */

// /proc/net is a link to the main thread's: a thread in another namespace has its own here.
constexpr const char* kRoot = "/proc/thread-self/net/";

constexpr uint8_t kSynRecv = 3;

/** Reads the columns of a line from left to right; the first that is not of its form sticks. */
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) {}

  bool failed() const { return failed_; }

  void skip(char expected) {
    if (failed_ || rest_.empty() || rest_.front() != expected) return fail();
    rest_.remove_prefix(1);
  }

  void blanks() {
    const size_t count = rest_.find_first_not_of(' ');
    if (failed_ || count == 0 || count == rest_.npos) return fail();
    rest_.remove_prefix(count);
  }

  /** The row's number, which may have blanks before it. */
  void rowNumber() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
    number<uint64_t>(10);
    skip(':');
  }

  template <class T>
  T number(int base) {
    T value = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    if (failed_ || error != std::errc()) return fail(), T{};
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }

  /** Words of the address as the host's processor sees them, each eight digits. */
  Address address(uint8_t family, bool littleEndian) {
    Address address{};
    const size_t words = family == 4 ? 1 : 4;
    for (size_t word = 0; word < words; word++) {
      if (rest_.size() < 8) return fail(), Address{};
      Line digits(rest_.substr(0, 8));
      const auto value = digits.number<uint32_t>(16);
      if (digits.failed_ || !digits.rest_.empty()) return fail(), Address{};
      for (size_t byte = 0; byte < 4; byte++) {
        const size_t shift = littleEndian ? 8 * byte : 24 - 8 * byte;
        address[4 * word + byte] = static_cast<uint8_t>(value >> shift);
      }
      rest_.remove_prefix(8);
    }
    return address;
  }

  /** The end of a column: a blank, or the end of the line. */
  void boundary() {
    if (!rest_.empty() && rest_.front() != ' ') fail();
  }

 private:
  void fail() { failed_ = true; }

  std::string_view rest_;
  bool failed_ = false;
};

bool decodeLine(std::string_view text, TableName name, bool littleEndian, Row& row) {
  Line line(text);
  row = {};
  row.protocol = name.protocol;
  row.family = name.family;
  row.flags = kProcfs;
  line.rowNumber();
  line.blanks();
  row.localAddress = line.address(name.family, littleEndian);
  line.skip(':');
  row.localPort = line.number<uint16_t>(16);
  line.blanks();
  row.remoteAddress = line.address(name.family, littleEndian);
  line.skip(':');
  row.remotePort = line.number<uint16_t>(16);
  line.blanks();
  row.state = line.number<uint8_t>(16);
  line.blanks();
  row.sendQueue = line.number<uint32_t>(16);
  line.skip(':');
  row.receiveQueue = line.number<uint32_t>(16);  // of a TCP listener the accept queue; no limit
  line.blanks();
  line.number<uint32_t>(16);  // timer
  line.skip(':');
  line.number<uint64_t>(16);  // when it runs out
  line.blanks();
  line.number<uint64_t>(16);  // retransmissions
  line.blanks();
  row.uid = line.number<uint32_t>(10);
  line.blanks();
  line.number<int64_t>(10);  // probes
  line.blanks();
  row.inode = line.number<uint32_t>(10);
  line.boundary();
  // Of a request that waits for its ACK, the listener's user is shown (get_openreq4), where
  // sock_diag says 0, as both do for TIME-WAIT: nobody holds such a socket yet, or any more.
  if (name.protocol == IPPROTO_TCP && row.state == kSynRecv && row.inode == 0) row.uid = 0;
  // boundInterface stays 0, as do cookie, mark and cgroup: no column has them.
  return !line.failed();
}

std::string fileOf(TableName name) {
  return std::string(name.protocol == IPPROTO_TCP ? "tcp" : "udp") + (name.family == 6 ? "6" : "");
}

}  // namespace

void decode(std::string_view text, TableName name, bool littleEndian,
            const std::function<void(const Row&)>& take) {
  Row row;
  for (size_t number = 1; !text.empty(); number++) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (number == 1) {
      if (line.find("local_address") != line.npos) continue;
      throwDecode("line 1 of a " + fileOf(name) + " table is not its heading: '" +
                  std::string(line.substr(0, 200)) + "'");
    }
    if (!decodeLine(line, name, littleEndian, row)) {
      throwDecode("line " + std::to_string(number) + " of a " + fileOf(name) +
                  " table is not of its form: '" + std::string(line.substr(0, 200)) + "'");
    }
    take(row);
  }
}

bool lacksIpv6() {
  return access((std::string(kRoot) + "tcp").c_str(), F_OK) == 0 &&
         access((std::string(kRoot) + "tcp6").c_str(), F_OK) != 0 && errno == ENOENT;
}

void read(TableName name, const std::function<void(const Row&)>& take) {
  const std::string path = kRoot + fileOf(name);
  std::vector<uint8_t> bytes;
  if (const int error = files::read(path, bytes)) {
    if (error == ENOENT && name.family == 6 && lacksIpv6()) return;
    throw Failure{Operation::kKernel, "open", error, "reading " + path};
  }
  decode({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name,
         __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, take);
}

}  // namespace earshot::sockets::procfs
