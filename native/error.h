#pragma once

#include <cerrno>
#include <exception>
#include <new>
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

/** The exception that is being handled right now; of one that is no Failure, what was being done.
 */
inline Failure currentFailure(const char* call = "read", const char* doing = "reading") {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const std::bad_alloc&) {
    return {Operation::kKernel, "malloc", ENOMEM, doing};
  } catch (const std::exception& error) {
    return {Operation::kKernel, call, EIO, error.what()};
  }
}

}  // namespace earshot
