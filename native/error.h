#pragma once

#include <cerrno>
#include <string>
#include <utility>

namespace earshot {

/** What was being done when it failed: decides which error JavaScript sees. */
enum class Operation {
  /** Entering a network namespace. */
  kNetns,
  /** Asking the kernel. */
  kKernel,
  /** Reading bytes that are not of their form. */
  kDecode,
};

/** The one failure value: thrown where it is met, turned into a JavaScript error by binding/. */
struct Failure {
  Operation operation;
  /** The system call, or the netlink family that refused. */
  std::string syscall;
  /** Positive, as in errno(3). */
  int code;
  /** The kernel's own text where it gave one, else what was being done and to what. */
  std::string detail;
};

/** A system call that failed just now. */
[[noreturn]] inline void throwErrno(std::string syscall, std::string detail) {
  throw Failure{Operation::kKernel, std::move(syscall), errno, std::move(detail)};
}

/** Bytes that are not of their form. */
[[noreturn]] inline void throwDecode(std::string detail) {
  throw Failure{Operation::kDecode, "decode", EBADMSG, std::move(detail)};
}

}  // namespace earshot
