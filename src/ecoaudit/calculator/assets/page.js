window.ecoaudit = Object.freeze({ estimate, centralEstimate, asPaper, estimateWithDraws });
