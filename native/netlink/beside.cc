#include "netlink/beside.h"

#include <system_error>
#include <utility>

#include "signals.h"

namespace earshot::netlink {
namespace {

/** Where a message is as long as this, the answer is in more datagrams than one. */
constexpr size_t kWorthAThread = 16 * 1024;

}  // namespace

Beside::~Beside() { end(true); }

void Beside::begin() {
  end(true);
  thrown_ = nullptr;
  sink_.begin();
}

void Beside::message(const Message& message) {
  if (!thread_.joinable() && (message.whole.size() < kWorthAThread || !start())) {
    sink_.message(message);
    return;
  }
  std::vector<uint8_t> copy(message.whole.begin(), message.whole.end());
  {
    const std::lock_guard lock(mutex_);
    if (!thrown_) waiting_.push_back(std::move(copy));
  }
  changed_.notify_one();
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
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::vector<uint8_t> bytes = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    std::exception_ptr thrown;
    try {
      Messages messages(bytes);
      Message message;
      while (messages.next(message)) sink_.message(message);
    } catch (...) {
      thrown = std::current_exception();
    }
    lock.lock();
    if (!thrown) continue;
    thrown_ = thrown;
    waiting_.clear();
    return;
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
