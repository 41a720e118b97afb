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
    /** Where the next entry is, for seek(). */
    int64_t behind;
    uint8_t type;  // DT_*
    const char* name;
  };

  static constexpr size_t kLargePiece = 32 * 1024;

  /** `piece`: how many bytes of entries are asked for at once. */
  explicit Directory(int parent, const char* path, size_t piece = kLargePiece)
      : descriptor_(openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        error_(descriptor_ ? 0 : errno),
        piece_(piece) {}

  /** Goes on from where another reader of this directory stopped. */
  void seek(int64_t behind) {
    if (!error_ && lseek(descriptor_.get(), behind, SEEK_SET) < 0) error_ = errno;
  }

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
      std::memcpy(&out.behind, record + 8, sizeof out.behind);
      std::memcpy(&length, record + 16, sizeof length);
      out.type = static_cast<uint8_t>(record[18]);
      out.name = record + 19;
      position_ += length;
      if (std::strcmp(out.name, ".") != 0 && std::strcmp(out.name, "..") != 0) return true;
    }
  }

 private:
  bool fill() {
    if (error_) return false;
    if (!buffer_) buffer_.reset(new char[piece_]);
    const long count = syscall(SYS_getdents64, descriptor_.get(), buffer_.get(), piece_);
    if (count < 0) error_ = errno;
    position_ = 0;
    filled_ = count > 0 ? static_cast<size_t>(count) : 0;
    return filled_ > 0;
  }

  Descriptor descriptor_;
  int error_;
  size_t piece_;
  std::unique_ptr<char[]> buffer_;
  size_t position_ = 0;
  size_t filled_ = 0;
};

}  // namespace earshot::processes
