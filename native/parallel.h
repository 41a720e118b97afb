#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "signals.h"

namespace earshot {

/**
 * Calls `work` with each number below `count`, spread over the cores, and returns when all are
 * done. The calling thread does its share, and all of it where no other can be had. What `work`
 * throws first is thrown here, when nobody works any more.
 */
template <class Work>
void parallel(size_t count, const Work& work) {
  /** More than these wait for one another: the tables of /proc are behind a few locks. */
  constexpr size_t kMostThreads = 8;
  /** A thread costs what some dozens of system calls do. */
  constexpr size_t kWorthAThread = 16;

  std::atomic<size_t> next{0};
  std::exception_ptr thrown;
  std::mutex mutex;
  const auto share = [&] {
    try {
      for (size_t at = next++; at < count; at = next++) work(at);
    } catch (...) {
      next = count;
      const std::lock_guard lock(mutex);
      if (!thrown) thrown = std::current_exception();
    }
  };
  const size_t cores = std::max<size_t>(1, std::thread::hardware_concurrency());
  const size_t helpers = std::min({cores, kMostThreads, 1 + count / kWorthAThread}) - 1;
  std::vector<std::thread> threads;
  threads.reserve(helpers);
  try {
    const SignalsBlocked blocked;
    while (threads.size() < helpers) threads.emplace_back(share);
  } catch (const std::system_error&) {
    // Those that are there do it.
  }
  share();
  for (std::thread& thread : threads) thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace earshot
