#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "netlink/listener.h"
#include "sockets/filter.h"
#include "sockets/query.h"
#include "sockets/table.h"
#include "watch/tuple.h"

namespace earshot::watch {

using Clock = std::chrono::steady_clock;

/**
 * The kernel's word that a socket has ended (SKNLGRP_INET_TCP_DESTROY and its like), by which those
 * are told that opened and ended between two polls. It comes some time after the end, of each full
 * socket once, and also of sockets that were in no table: not yet bound, reset long ago and still
 * held, left behind by a TIME-WAIT of another cookie. What is kept here tells these apart.
 *
 * A poll must begin with what take() gave, and end with polled(): a TIME-WAIT is there before the
 * socket that it follows has ended.
 */
class Endings {
 public:
  /** In the calling thread's namespace. Throws where the kernel does not tell. */
  explicit Endings(const sockets::Query& query);

  /** The first poll is over: who ended until now, or was silent since before, is none to be told.
   */
  void start();

  /** For poll(2). */
  int get() const { return listener_.get(); }

  /** Takes in what the kernel has told. `isKnown`: was the socket of this cookie in the last poll?
   */
  void hear(const sockets::Filter* filter, const std::function<bool(uint64_t)>& isKnown);

  /** Has this socket of the last poll ended since? Else its absence is to be looked into. */
  bool hasEnded(uint64_t cookie) const { return ended_.contains(cookie); }

  /** The sockets that ended and were in no poll; the caller sorts out those of the poll that began
   * after. */
  sockets::Table take();

  /**
   * A socket that was not in any poll before and is in this one as no more than a TIME-WAIT, or as
   * the request for a connection: the socket between the two may have another cookie, for it takes
   * that of the request, and gives it on, as it was then, and who had none is given one by the
   * first who looks.
   */
  void followed(const sockets::Table& table, size_t row);

  /** Is a row of take() the other self of such a one? Each is that of one. */
  bool hasFollower(const sockets::Table& table, size_t row);

  /** It has been found by its own cookie. */
  void found(const sockets::Table& table, size_t row);

  /**
   * The end of a socket is told that was in a poll: where it was followed, it was by its own
   * cookie, and whoever else has its ends later is another.
   */
  void foundSame(const sockets::Table& table, size_t row);

  /** A socket of an earlier poll that is gone. */
  void gone(uint64_t cookie);

  /** A poll is over. */
  void polled();

  /** Were some lost since this was last asked: for want of memory, or as nobody took them? */
  bool missed() { return std::exchange(missed_, false); }

 private:
  void take(const netlink::Message& message, const sockets::Filter* filter,
            const std::function<bool(uint64_t)>& isKnown);
  void foundSame(const Tuple& tuple, uint64_t cookie);

  netlink::Listener listener_;
  Clock::time_point start_;
  bool missed_ = false;
  sockets::Table unseen_;
  std::unordered_set<uint64_t> ended_;
  /** Of those that left the table some time ago the end may still come. */
  std::deque<std::pair<Clock::time_point, uint64_t>> gone_;
  std::unordered_set<uint64_t> isGone_;
  struct Follower {
    Clock::time_point when;
    uint64_t cookie;
  };
  std::map<Tuple, Follower> followers_;
  std::deque<std::pair<Clock::time_point, Tuple>> followersByAge_;
};

}  // namespace earshot::watch
