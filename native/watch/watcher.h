#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "descriptor.h"
#include "watch/batch.h"
#include "watch/poller.h"
#include "watch/query.h"

namespace earshot::watch {

/**
 * Polls on a thread of its own. It says when it is ready; from then on it hands over one batch each
 * time that it is asked for one, and polls for that alone: who does not ask is told what is
 * different when they ask again.
 */
class Watcher {
 public:
  /** Called on the watcher's thread; nothing follows a batch that has `ended`. */
  using Deliver = std::function<void(std::unique_ptr<Batch>)>;

  /** Starts the thread. Throws when none can be had. */
  Watcher(Query query, Deliver deliver);
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  /** Ends the thread, and waits for that: no longer than a poll takes. */
  ~Watcher();

  /** Waits until those who wait for peers have been looked at: there are few. */
  void waitForStart();

  /** Asks for the next batch. */
  void next();

  /** Ends it soon, with a last batch. */
  void stop();

 private:
  void run();
  void watch();
  void hasStarted();
  bool isStopped();
  bool isWanted();
  void deliver(std::unique_ptr<Batch> batch);
  bool wait(const Descriptors& descriptors, std::chrono::steady_clock::time_point until);
  void wake();

  const Query query_;
  const Deliver deliver_;
  const Descriptor wakeUp_;
  std::mutex mutex_;
  std::condition_variable hasStarted_;
  /** Those who wait for peers have been looked at, or it is over. */
  bool started_ = false;
  bool wanted_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace earshot::watch
