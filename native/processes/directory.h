#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "descriptor.h"

namespace earshot::processes {

/** A directory read by getdents64 in large pieces, without a stat or an allocation an entry. */
class Directory {
 public:
  struct Entry {
    uint64_t inode;
    uint8_t type;  // DT_*
    const char* name;
  };

  Directory(int parent, const char* path)
      : descriptor_(openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        error_(descriptor_ ? 0 : errno) {}

  /** 0, or why it could not be opened or read on. */
  int error() const { return error_; }
  int get() const { return descriptor_.get(); }

  /** The next entry but . and ..; false at the end and after an error. Its name lives till the
   * next. */
  bool next(Entry& out) {
    for (;;) {
      if (position_ == filled_ && !fill()) return false;
      // linux_dirent64: inode 8, offset 8, record length 2, type 1, name.
      const char* record = buffer_.get() + position_;
      uint16_t length;
      std::memcpy(&out.inode, record, sizeof out.inode);
      std::memcpy(&length, record + 16, sizeof length);
      out.type = static_cast<uint8_t>(record[18]);
      out.name = record + 19;
      position_ += length;
      if (std::strcmp(out.name, ".") != 0 && std::strcmp(out.name, "..") != 0) return true;
    }
  }

 private:
  static constexpr size_t kPiece = 32 * 1024;

  bool fill() {
    if (error_) return false;
    if (!buffer_) buffer_.reset(new char[kPiece]);
    const long count = syscall(SYS_getdents64, descriptor_.get(), buffer_.get(), kPiece);
    if (count < 0) error_ = errno;
    position_ = 0;
    filled_ = count > 0 ? static_cast<size_t>(count) : 0;
    return filled_ > 0;
  }

  Descriptor descriptor_;
  int error_;
  std::unique_ptr<char[]> buffer_;
  size_t position_ = 0;
  size_t filled_ = 0;
};

}  // namespace earshot::processes
