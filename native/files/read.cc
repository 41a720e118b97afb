#include "files/read.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "descriptor.h"
#include "namespaces/run.h"

namespace earshot::files {
namespace {

constexpr size_t kFirstSize = 4096;
/** Far above any table of /proc; a device file that never ends must not take all memory. */
constexpr size_t kLargest = size_t{1} << 30;

}  // namespace

int readAt(int directory, const char* path, std::vector<uint8_t>& out) {
  // Not blocking, since a path can also name a pipe.
  const Descriptor file(openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return errno;
  std::vector<uint8_t> bytes(kFirstSize);
  size_t length = 0;
  for (;;) {
    const ssize_t count = ::read(file.get(), bytes.data() + length, bytes.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) break;
    length += static_cast<size_t>(count);
    if (length >= kLargest) return EFBIG;
    if (length == bytes.size()) bytes.resize(2 * length);
  }
  bytes.resize(length);
  out = std::move(bytes);
  return 0;
}

int read(const std::string& path, std::vector<uint8_t>& out) {
  // A name with a NUL in it would be read as its front part.
  if (path.find('\0') != std::string::npos) return EINVAL;
  return readAt(AT_FDCWD, path.c_str(), out);
}

std::vector<Content> readAll(const Query& query) {
  std::vector<Content> contents;
  contents.reserve(query.paths.size());
  namespaces::run(query.netns, [&] {
    for (const std::string& path : query.paths) {
      std::vector<uint8_t> bytes;
      if (const int error = read(path, bytes)) {
        contents.emplace_back(error);
      } else {
        contents.emplace_back(std::move(bytes));
      }
    }
  });
  return contents;
}

}  // namespace earshot::files
