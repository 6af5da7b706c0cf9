package sluice;

import org.apache.beam.runners.core.StateInternals;
import org.apache.beam.runners.core.StateNamespace;
import org.apache.beam.runners.core.StateTags;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.StringUtf8Coder;
import org.apache.beam.sdk.state.MapState;

/**
 * What a splittable DoFn left to do, kept from its self-checkpoint until its timer fires.
 *
 * <p>All that one key has are entries of one map state. A state of its own for each, as Beam has it
 * before 2.76, would stay registered in Flink's state, and be in every checkpoint, for ever.
 */
public final class Residual<T> {
  private final StateInternals state;
  private final StateNamespace namespace;
  private final String id;
  private final Coder<T> coder;

  private Residual(StateInternals state, StateNamespace namespace, String id, Coder<T> coder) {
    this.state = state;
    this.namespace = namespace;
    this.id = id;
    this.coder = coder;
  }

  /** The one of the key at hand that the timer {@code id} brings back. */
  public static <T> Residual<T> of(
      StateInternals state, StateNamespace namespace, String id, Coder<T> coder) {
    return new Residual<>(state, namespace, id, coder);
  }

  /** Keep it. */
  public void put(T residual) {
    pending().put(id, residual);
  }

  /** Hand it out and forget it: no checkpoint is taken before the bundle that does it has ended. */
  public T take() {
    MapState<String, T> pending = pending();
    T residual = pending.get(id).read();
    if (residual == null) { // of a checkpoint from before this class: only there is it looked for
      return state.state(namespace, StateTags.value(id, coder)).read();
    }
    pending.remove(id);
    return residual;
  }

  private MapState<String, T> pending() {
    return state.state(
        namespace, StateTags.map("sdf_checkpoint_residuals", StringUtf8Coder.of(), coder));
  }
}
