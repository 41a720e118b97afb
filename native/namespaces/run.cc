#include "namespaces/run.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <exception>
#include <system_error>
#include <thread>

#include "descriptor.h"
#include "error.h"
#include "signals.h"

namespace earshot::namespaces {
namespace {

/** Entering needs CAP_SYS_ADMIN even for one's own namespace: an ordinary user need not enter it.
 */
bool isOwn(int fd) {
  struct stat wanted {};
  struct stat own {};
  return fstat(fd, &wanted) == 0 && stat("/proc/thread-self/ns/net", &own) == 0 &&
         wanted.st_dev == own.st_dev && wanted.st_ino == own.st_ino;
}

[[noreturn]] void refuse(const char* syscall, int code, const std::string& path) {
  throw Failure{Operation::kNetns, syscall, code, path};
}

/** Not blocking, since a path can also name a pipe. */
Descriptor opened(const std::string& path) {
  Descriptor target(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!target) refuse("open", errno, path);
  return target;
}

}  // namespace

void enter(const std::optional<std::string>& path) {
  if (!path) return;
  const Descriptor target = opened(*path);
  if (isOwn(target.get())) return;
  if (setns(target.get(), CLONE_NEWNET) < 0) refuse("setns", errno, *path);
}

void run(const std::optional<std::string>& path, const std::function<void()>& read) {
  if (!path) return read();
  const Descriptor target = opened(*path);
  if (isOwn(target.get())) return read();

  std::exception_ptr thrown;
  const auto body = [&] {
    try {
      if (setns(target.get(), CLONE_NEWNET) < 0) refuse("setns", errno, *path);
      read();
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  std::thread thread;
  try {
    const SignalsBlocked blocked;
    thread = std::thread(body);
  } catch (const std::system_error& error) {
    refuse("pthread_create", error.code().value(), *path);
  }
  thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace earshot::namespaces
