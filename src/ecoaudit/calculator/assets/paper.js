// EcoCompute's Table 1 from the constants that produce it, what they imply, and what is within reach.

function asPaper() {
  const paper = constant("paper");
  const gpuHours = (paper.flop_per_token * paper.passes * paper.tokens) / (paper.peak_flops * paper.efficiency) / 3600;
  const energy = gpuHours * paper.kw_per_gpu;
  const dense = paper.peak_flops / 2;
  const [params, layers, hidden, sequence] = paper.llama;
  const counts = [
    ["6ND, N = 7e9", 6 * paper.nominal_params * paper.tokens],
    ["6ND, N = 6.738e9 (LLaMA 7B)", 6 * params * paper.tokens],
    [
      "6ND with causal attention, s = 4096",
      flopsPerToken({ params, layers, hidden, sequence, lora: false }) * paper.tokens,
    ],
  ];
  const [lowest, highest] = paper.reachable_mfu;
  const hours = (n, mfu) => (6 * n * paper.tokens) / (mfu * dense * 3600);
  return {
    gpu_hours: gpuHours,
    energy_kwh: energy,
    carbon_kg: (energy * paper.g_per_kwh) / 1000,
    cost_usd: gpuHours * paper.usd_per_gpu_hour,
    implied: counts.map(([counted, flops]) => ({ counted, flops, mfu: flops / (gpuHours * 3600 * dense) })),
    reachable: [paper.nominal_params, params].map((n) => ({
      params: n,
      low_gpu_hours: hours(n, highest),
      high_gpu_hours: hours(n, lowest),
    })),
    ours: estimate(paperRequest()),
  };
}

/** The table's run as published runs would do it: its GPU, count, region and tokens. */
function paperRequest() {
  const { gpus, region, tokens } = constant("paper");
  return { model: "llama2-7b", tokens, gpu: DATA.paper_gpu, gpus, region };
}

/** The table's run on the table's own assumptions, as far as an estimate with node, attention and range can hold them. */
function paperClaim() {
  const paper = constant("paper");
  return {
    ...paperRequest(),
    mfu: 1,
    pue: 1,
    price_per_gpu_hour: paper.usd_per_gpu_hour,
    intensity_g_per_kwh: paper.g_per_kwh,
  };
}
