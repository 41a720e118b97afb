#include "watch/watcher.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <tuple>
#include <utility>

#include "namespaces/run.h"
#include "signals.h"
#include "watch/poller.h"

namespace earshot::watch {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/** What the kernel says one by one is taken in so often at most. */
constexpr milliseconds kBreath{5};

/** A change of the network is told so soon: more of it mostly follows. */
constexpr milliseconds kSoon{100};

/** No host is so slow, and nobody waits for ever. */
constexpr milliseconds kLongestStart{1000};

}  // namespace

Watcher::Watcher(Query query, Deliver deliver)
    : query_(std::move(query)),
      deliver_(std::move(deliver)),
      wakeUp_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wakeUp_) throwErrno("eventfd", "watching");
  try {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    throw Failure{Operation::kKernel, "pthread_create", error.code().value(), "watching"};
  }
}

Watcher::~Watcher() {
  stop();
  thread_.join();
}

void Watcher::waitForStart() {
  std::unique_lock lock(mutex_);
  hasStarted_.wait_for(lock, kLongestStart, [&] { return started_; });
}

void Watcher::next() {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  wake();
}

void Watcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake();
}

void Watcher::run() {
  pthread_setname_np(pthread_self(), "earshot-watch");
  auto last = std::make_unique<Batch>();
  last->ended = true;
  try {
    namespaces::enter(query_.sockets.netns);
    watch();
  } catch (...) {
    last->failure = currentFailure("watch", "watching");
  }
  hasStarted();
  deliver_(std::move(last));
}

void Watcher::watch() {
  Poller poller(query_);
  poller.startWaiting();
  hasStarted();
  const auto begun = Clock::now();
  poller.startAll();
  auto ready = std::make_unique<Batch>();
  ready->ready = true;
  deliver_(std::move(ready));
  auto due = begun + query_.interval;
  auto mayHear = begun;
  bool spoken = true;
  auto networkDue = Clock::time_point::max();
  while (!isStopped()) {
    const auto now = Clock::now();
    if (spoken && now >= mayHear) {
      poller.hear();
      spoken = false;
      mayHear = now + kBreath;
    }
    if (poller.heard()) {
      networkDue = std::min(networkDue, now + std::min(query_.interval, kSoon));
    }
    const bool wanted = isWanted();
    if (wanted && !poller.found() && now >= due) {
      poller.poll();
      // Where a poll takes as long as the interval, others are to have the processor too.
      const auto end = Clock::now();
      due = std::max(now + query_.interval, end + (end - now) / 4);
    }
    if (wanted && (poller.found() || now >= networkDue)) {
      auto batch = std::make_unique<Batch>();
      poller.tell(*batch);
      networkDue = Clock::time_point::max();
      deliver(std::move(batch));
      continue;
    }
    auto until = Clock::time_point::max();
    if (wanted) until = std::min(due, networkDue);
    const bool deaf = now < mayHear;
    spoken = wait(deaf ? Descriptors{-1, -1, -1} : poller.descriptors(),
                  deaf ? std::min(until, mayHear) : until) ||
             spoken;
  }
}

bool Watcher::isStopped() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

bool Watcher::isWanted() {
  const std::lock_guard lock(mutex_);
  return wanted_;
}

void Watcher::hasStarted() {
  const std::lock_guard lock(mutex_);
  started_ = true;
  hasStarted_.notify_all();
}

void Watcher::deliver(std::unique_ptr<Batch> batch) {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = false;
  }
  deliver_(std::move(batch));
}

/** Waits for a call of next() or stop(), for the kernel, or until then; true if the kernel spoke.
 */
bool Watcher::wait(const Descriptors& descriptors, Clock::time_point until) {
  pollfd polled[1 + std::tuple_size_v<Descriptors>];
  size_t count = 0;
  polled[count++] = {wakeUp_.get(), POLLIN, 0};
  for (const int descriptor : descriptors) polled[count++] = {descriptor, POLLIN, 0};
  int timeout = -1;
  if (until != Clock::time_point::max()) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    timeout = static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT32_MAX));
  }
  if (::poll(polled, count, timeout) <= 0) return false;
  if (polled[0].revents) {
    uint64_t calls;
    while (read(wakeUp_.get(), &calls, sizeof calls) < 0 && errno == EINTR) continue;
  }
  return std::any_of(polled + 1, polled + count, [](const pollfd& one) { return one.revents; });
}

void Watcher::wake() {
  const uint64_t once = 1;
  while (write(wakeUp_.get(), &once, sizeof once) < 0 && errno == EINTR) continue;
}

}  // namespace earshot::watch
