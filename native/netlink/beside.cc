#include "netlink/beside.h"

#include <pthread.h>

#include <iterator>
#include <system_error>
#include <utility>

#include "signals.h"

namespace earshot::netlink {
namespace {

/** An answer of so many bytes takes longer than to make a thread. */
constexpr size_t kWorthAThread = 128 * 1024;

/** So many datagrams wait for the other sink at most. */
constexpr size_t kMostWaiting = 64;

}  // namespace

Beside::~Beside() { end(true); }

void Beside::begin() {
  end(true);
  came_ = 0;
  messages_.clear();
  thrown_ = nullptr;
  sink_.begin();
}

void Beside::message(const Message& message) {
  if (thread_.joinable())
    messages_.push_back(message);
  else
    sink_.message(message);
}

void Beside::datagram(size_t length, Buffer& buffer) {
  if (!thread_.joinable()) {
    came_ += length;
    if (came_ >= kWorthAThread && !start()) came_ = 0;
    return;
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return thrown_ || waiting_.size() < kMostWaiting; });
  Datagram spare;
  if (!spare_.empty()) {
    spare = std::move(spare_.back());
    spare_.pop_back();
  }
  spare.messages.clear();
  std::swap(spare.messages, messages_);
  std::swap(spare.buffer, buffer);
  if (!thrown_) waiting_.push_back(std::move(spare));
  const bool waits = waiting_.size() == 1;
  lock.unlock();
  if (waits) changed_.notify_one();
}

void Beside::finish() {
  end(false);
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

bool Beside::start() {
  ended_ = false;
  try {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void Beside::run() {
  pthread_setname_np(pthread_self(), "earshot-netlink");
  std::vector<Datagram> datagrams;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const bool wasFull = waiting_.size() == kMostWaiting;
    std::swap(datagrams, waiting_);
    lock.unlock();
    if (wasFull) changed_.notify_one();
    std::exception_ptr thrown;
    try {
      handOver(datagrams);
    } catch (...) {
      thrown = std::current_exception();
    }
    lock.lock();
    std::move(datagrams.begin(), datagrams.end(), std::back_inserter(spare_));
    datagrams.clear();
    if (!thrown) continue;
    thrown_ = thrown;
    waiting_.clear();
    lock.unlock();
    changed_.notify_one();
    return;
  }
}

void Beside::handOver(const std::vector<Datagram>& datagrams) {
  for (const Datagram& datagram : datagrams) {
    for (const Message& message : datagram.messages) sink_.message(message);
  }
}

void Beside::end(bool discard) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    if (discard) waiting_.clear();
  }
  changed_.notify_one();
  thread_.join();
}

}  // namespace earshot::netlink
