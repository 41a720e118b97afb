// Network namespaces, held by descriptors. A namespace belongs to a thread, so what works inside
// one runs on a thread of its own, which ends with the work: no other thread ever moves.
#pragma once

#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "descriptor.h"

namespace lab {

/// Runs `work` on a thread of its own and waits for it; what it throws is thrown here.
template <typename Work>
void onOwnThread(Work&& work) {
  std::exception_ptr failure;
  std::thread thread([&] {
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  });
  thread.join();
  if (failure) std::rethrow_exception(failure);
}

/// Moves the calling thread into a network namespace.
void enterNamespace(int netns);

/// Makes network namespaces that live as long as their descriptors do.
std::vector<Descriptor> createNamespaces(int count);

struct FileWrite {
  std::string path;
  std::string text;
};

/// Writes files as seen inside the namespace (/proc/sys/net follows the thread): errnos, 0 for
/// written.
std::vector<int> writeFiles(int netns, const std::vector<FileWrite>& files);

/// The text of a file as seen inside the namespace.
std::string readFile(int netns, const std::string& path);

/// Waits until every named interface is operational; gives those that were not in time.
std::vector<std::string> awaitRunning(int netns, std::vector<std::string> interfaces,
                                      int timeoutMs);

/// Waits until every IPv6 address that is in use has its local route: the kernel adds that later,
/// on a thread of its own (addrconf_dad_work), even where no duplicate is looked for. Gives the
/// addresses that were not in time.
std::vector<std::string> awaitAddresses(int netns, int timeoutMs);

}  // namespace lab
